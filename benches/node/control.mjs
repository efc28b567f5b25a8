// How a program is told what to do: one order a line on standard input, one result a line on standard output. See
// benches/rust/src/control.rs, which does the same in Rust and names the members of an order.

import { createInterface } from "node:readline";

/** `callers` loops make `calls` calls between them; each takes the next one when its call has ended. */
async function makeCalls(client, callers, calls) {
  let left = calls;
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      await client.call();
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** Makes one measurement: processor time of this process, user and system, all threads. */
async function carryOut(make, order) {
  const client = make(order);
  await makeCalls(client, order.callers, order.warm_up);
  const started = process.hrtime.bigint();
  const used = process.cpuUsage();
  await makeCalls(client, order.callers, order.calls);
  await client.close();
  const { user, system } = process.cpuUsage(used);
  return { cpu_seconds: (user + system) / 1e6, wall_seconds: Number(process.hrtime.bigint() - started) / 1e9 };
}

/** Carries out orders until standard input ends. */
export async function obey(make) {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await carryOut(make, JSON.parse(line))));
  }
}
