/** Sending a person to an address, and showing that the program waits. */

import { spawn } from "node:child_process";
import { isMainThread } from "node:worker_threads";

/** The exit status of a program that Ctrl-C ended: 128 and the signal's number. */
const INTERRUPTED = 130;

/** To the line's beginning, and clear it. */
const CLEAR_LINE = "\r\u001b[K";

/** Opens the browser if that is wanted, and prints the address: the browser may open where nobody looks. */
export async function show(url: string, openBrowser: boolean): Promise<void> {
  const opened = openBrowser && (await open(url));
  console.log(opened ? "Your browser was opened. If nothing shows there, visit:" : "Please visit:", url);
}

/** Whether a browser was started. One that cannot be is no error: the address is printed in any case. */
async function open(url: string): Promise<boolean> {
  const command = browser();
  // Anything else could be a file, or an option of the command.
  if (command === null || !URL.canParse(url) || !/^https?:/i.test(url)) {
    return false;
  }
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, [...args, new URL(url).href], { stdio: "ignore", detached: true });
    child.on("spawn", () => resolve(true));
    child.on("error", () => resolve(false));
    child.unref();
  });
}

/** The program that opens an address, as `BROWSER` names it or the system has it; `null` where nobody could see it. */
function browser(): readonly [string, ...string[]] | null {
  const { BROWSER, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (BROWSER) {
    return [BROWSER];
  }
  switch (process.platform) {
    case "darwin":
      return ["open"];
    case "win32":
      // Not `start`: it is the shell's, to which an ampersand means something.
      return ["rundll32", "url.dll,FileProtocolHandler"];
    default:
      return DISPLAY || WAYLAND_DISPLAY ? ["xdg-open"] : null;
  }
}

/** What stops each call that waits for a person, for good. */
const stops = new Set<() => Promise<void>>();

let stopping = false;

/** Ends the program, unless it has a listener of its own for Ctrl-C. The vault is told before that; whoever cannot wait presses it again. */
function interrupted(): void {
  if (process.listenerCount("SIGINT") > 1) {
    return;
  }
  if (stopping) {
    process.exit(INTERRUPTED);
  }
  stopping = true;
  write(CLEAR_LINE);
  void Promise.allSettled([...stops].map((stop) => stop())).then(() => process.exit(INTERRUPTED));
}

/**
 * Waits for what a person does. On a terminal it says that it waits and how to stop it.
 *
 * Ctrl-C ends the program as ever, but not where it stands: `stop` comes before that, and gives up the wait.
 */
export async function waiting<T>(work: () => Promise<T>, stop: () => Promise<void>): Promise<T> {
  // Threads other than the main one get no signals.
  if (isMainThread && stops.size === 0) {
    // Before the program's own listener, which may be there for one time only.
    process.prependListener("SIGINT", interrupted);
  }
  stops.add(stop);
  write("Waiting for you to finish in the browser. Ctrl-C stops.");
  try {
    return await work();
  } finally {
    write(CLEAR_LINE);
    stops.delete(stop);
    if (stops.size === 0) {
      process.removeListener("SIGINT", interrupted);
    }
  }
}

/** Writes to the person at the terminal, if there is one. */
function write(text: string): void {
  if (process.stderr.isTTY === true) {
    process.stderr.write(text);
  }
}
