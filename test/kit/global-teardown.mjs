// After all tests, failed or not: the servers of the run end and their folder goes.
export default async function tearDown() {
  await globalThis.stopFermataServers?.();
}
