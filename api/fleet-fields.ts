// The queries and answers of the fleet, of costs and of findings, as schemas.
import { z } from 'zod';
import { FINDING_KINDS } from '../domain/finding.ts';
import { isTime } from '../domain/text.ts';

const isoTime = z.iso.datetime();
const usd = z.number().nullable();
const seconds = z.int().nullable();

export const fleetQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  cursor: z
    .string()
    .regex(/^[a-z0-9._-]{1,64}$/)
    .optional(),
});

const warning = z.object({ kind: z.string(), says: z.string() }).meta({ id: 'Warning' });
const budget = z.object({ level: z.enum(['ok', 'warn', 'stop']), says: z.string() }).meta({ id: 'BudgetState' });

const fleetMember = z
  .object({
    member_id: z.string(),
    friendly_name: z.string(),
    state: z.string().nullable(),
    instance_type: z.string().nullable(),
    uptime_s: seconds,
    uptime_text: z.string().nullable(),
    usd_per_hour: usd.meta({ description: 'What it costs now: 0 when it does not run, null when no price is known' }),
    session_usd: usd.meta({ description: 'Since it was last started' }),
    disks_usd_per_month: usd.meta({
      description:
        'Of its disks, running or not; null before they were looked at, when no price is known, and when it is gone',
    }),
    disks_seen_at: isoTime.nullable(),
    disks_seen_age_s: seconds,
    gpu_percent: z.number().nullable(),
    idle_since: isoTime.nullable(),
    stop_at: isoTime.nullable(),
    ready_at: isoTime.nullable(),
    leases: z.array(z.object({ holder: z.string(), mode: z.enum(['shared', 'exclusive']), since: isoTime })),
    warnings: z.array(warning),
    observed_at: isoTime.nullable().meta({ description: 'When its instance was last seen in the cloud' }),
    observed_age_s: seconds,
    probed_at: isoTime.nullable().meta({ description: 'When it was last looked at by SSH' }),
    probed_age_s: seconds,
  })
  .meta({ id: 'FleetMember' });

export const fleetAnswer = z
  .object({
    now: isoTime,
    totals: z
      .object({
        members: z.int(),
        running: z.int(),
        unpriced: z.int().meta({ description: 'Running machines whose price is not known; then the sums are null' }),
        usd_per_hour: usd,
        session_usd: usd,
        disks_unknown: z.int().meta({
          description: 'Machines whose disks were not looked at yet or have no known price; then the sum is null',
        }),
        disks_usd_per_month: usd,
        disks_seen_at: isoTime.nullable().meta({ description: 'The oldest look that the sum rests on' }),
        disks_seen_age_s: seconds,
      })
      .meta({ description: 'Of all members, whatever the page' }),
    budget: budget.nullable().meta({ description: 'Of all members together; null where config has none' }),
    members: z.array(fleetMember),
  })
  .meta({ id: 'Fleet' });

/** What `GET /api/v1/members/{member_id}` answers as `cost`. */
export const memberCostAnswer = z
  .object({
    usd_per_hour: usd,
    session_s: z.int(),
    session_usd: usd,
    session_text: z.string(),
    total_usd: usd,
    total_since: isoTime.nullable(),
    excludes: z.string(),
    storage: z
      .object({
        disks: z.int(),
        gib: z.number(),
        usd_per_month: usd,
        price_says: z.string(),
        seen_at: isoTime,
        seen_age_s: z.int(),
      })
      .nullable()
      .meta({
        description:
          'What its disks cost, running or not; null before the first look, for which ec2:DescribeVolumes must be allowed, and when it is gone',
      }),
    prices_as_of: z.iso.date(),
    prices_region: z.string().nullable(),
    price_says: z.string(),
    warnings: z.array(warning),
    budget: budget.nullable(),
  })
  .meta({ id: 'MemberCost' });

export const taskCostAnswer = z
  .object({
    task_id: z.string(),
    member_id: z.string().nullable().meta({ description: 'Null for a task that uses no member: it costs nothing' }),
    from: isoTime.nullable(),
    to: isoTime.nullable().meta({ description: 'Null while it runs' }),
    usd,
  })
  .meta({ id: 'TaskCost' });

/** What a cursor of the list of findings holds: when its finding was first seen, the kind and the subject. */
const place = z.tuple([z.string().refine(isTime), z.enum(FINDING_KINDS), z.string().regex(/^[ -~]{1,400}$/)]);

const cursor = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,1000}$/)
  .transform((text, context) => {
    const parsed = place.safeParse(jsonIn(text));
    if (parsed.success) return parsed.data;
    context.addIssue('Input should be a cursor from a Link header');
    return z.NEVER;
  });

function jsonIn(cursorText: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursorText, 'base64url').toString());
  } catch {
    return undefined;
  }
}

export const findingsQuery = z.object({
  open: z.enum(['true', 'false']).optional(),
  kind: z.enum(FINDING_KINDS).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  cursor: cursor.optional(),
});

export const findingAnswer = z
  .object({
    kind: z.enum(FINDING_KINDS),
    subject: z.string(),
    says: z.string(),
    first_seen_at: isoTime,
    last_seen_at: isoTime,
    resolved_at: isoTime.nullable(),
  })
  .meta({ id: 'Finding' });
