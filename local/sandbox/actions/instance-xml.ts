// An instance as EC2 describes it, and the pieces of that description other answers need as well.
import * as addresses from '../addresses.ts';
import type { Settings } from '../cloud.ts';
import { stateAt } from '../lifecycle.ts';
import type { Instance, State } from '../records.ts';
import { tagSet } from '../tags.ts';
import type { Branch } from '../xml.ts';

const codes: Readonly<Record<State, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export const stateXml = (state: State): Branch => ({ code: codes[state], name: state });

function instanceXml(instance: Instance, { region, network }: Settings, now: number): Branch {
  const state = stateAt(instance, now);
  const { private: privateAddress, public: publicAddress } = addresses.addressesOf(instance, network, now);
  return {
    instanceId: instance.id,
    imageId: instance.image_id,
    instanceState: stateXml(state),
    privateDnsName: privateAddress ? addresses.privateName(region, privateAddress) : '',
    dnsName: publicAddress ? addresses.publicName(region, publicAddress) : '',
    reason: instance.reason,
    amiLaunchIndex: instance.launch_index,
    productCodes: [],
    instanceType: instance.type,
    launchTime: new Date(instance.launched_at_ms).toISOString(),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    monitoring: { state: 'disabled' },
    ...(state === 'terminated' ? { groupSet: [] } : networkXml(instance, privateAddress, publicAddress)),
    ...(instance.reason_code === ''
      ? {}
      : { stateReason: { code: instance.reason_code, message: instance.reason_message } }),
    architecture: 'x86_64',
    rootDeviceType: 'ebs',
    rootDeviceName: '/dev/xvda',
    blockDeviceMapping: state === 'terminated' ? [] : [deviceXml(instance)],
    virtualizationType: 'hvm',
    clientToken: instance.client_token,
    tagSet: tagSet(instance.tags),
    hypervisor: 'xen',
    networkInterfaceSet: [],
    ebsOptimized: false,
    enaSupport: true,
  };
}

function networkXml(instance: Instance, privateAddress?: string, publicAddress?: string): Branch {
  return {
    subnetId: addresses.subnetId(instance.zone),
    vpcId: addresses.vpcId,
    ...(privateAddress ? { privateIpAddress: privateAddress } : {}),
    ...(publicAddress ? { ipAddress: publicAddress } : {}),
    sourceDestCheck: true,
    groupSet: [{ groupId: addresses.groupId, groupName: 'default' }],
  };
}

const deviceXml = (instance: Instance): Branch => ({
  deviceName: '/dev/xvda',
  ebs: {
    volumeId: instance.volume_id,
    status: 'attached',
    attachTime: new Date(instance.created_at_ms).toISOString(),
    deleteOnTermination: true,
  },
});

/** Instances in the reservations they were launched with, in the order they come. */
export function reservationsXml(instances: readonly Instance[], settings: Settings, now: number): Branch[] {
  const reservations = new Map<string, Instance[]>();
  for (const instance of instances) {
    const members = reservations.get(instance.reservation_id);
    if (members) members.push(instance);
    else reservations.set(instance.reservation_id, [instance]);
  }
  return [...reservations].map(([id, members]) => reservationXml(id, members, settings, now));
}

export function reservationXml(id: string, members: readonly Instance[], settings: Settings, now: number): Branch {
  return {
    reservationId: id,
    ownerId: addresses.ownerId,
    groupSet: [],
    instancesSet: members.map((instance) => instanceXml(instance, settings, now)),
  };
}
