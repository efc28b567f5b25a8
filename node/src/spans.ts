/** `spans`: a program's own steps, told to the vault. */

import type { Cancelable } from "./aborting.js";
import { isPlainObject } from "./error-parts.js";
import { namedEach } from "./given.js";
import type { EmitSpansResult, UserSpan } from "./models/index.js";
import { Part } from "./part.js";

/** Steps of a program that stand beside the vault's own records. They are labels and no evidence. */
export class SpansNamespace extends Part {
  /**
   * Tells the vault 1 to 50 steps of this program. Each is stored once.
   *
   * @throws AlterValueError - There are none or too many, or one is malformed; nothing was sent.
   */
  emit(spans: readonly UserSpan[], options?: Cancelable | null): Promise<EmitSpansResult> {
    const timed = Array.isArray(spans) ? spans.map(withTexts) : spans;
    return this.operate("spans.emit", {}, { spans: namedEach }, { ...options, spans: timed });
  }
}

/** A span whose times are texts. */
function withTexts(span: unknown): unknown {
  if (!isPlainObject(span)) {
    return span;
  }
  const text = (value: unknown) =>
    value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : value;
  return Object.fromEntries(Object.entries(span).map(([name, value]) => [name, text(value)]));
}
