/** What machine this is, as the addon's file name says it. */

/** Operating system, processor, and on Linux the C library: `linux-x64-gnu`. */
export function platformName(): string {
  const base = `${process.platform}-${process.arch}`;
  return process.platform === "linux" ? `${base}-${isGlibc() ? "gnu" : "musl"}` : base;
}

function isGlibc(): boolean {
  // A report also lists open sockets, and may ask a name server for their names: not for this.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const before = report.excludeNetwork ?? false;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before;
  return header?.glibcVersionRuntime !== undefined;
}
