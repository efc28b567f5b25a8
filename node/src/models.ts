/** What a call leaves behind besides its answer: retries inside the vault, and the state of its rate limit. */

import { BackendError } from "./errors.js";

/** An object as the vault writes it. */
export type Wire = Record<string, unknown>;

function refuse(model: string, field: string, expected: string): never {
  throw new BackendError(`${model}: ${field} must be ${expected}.`);
}

function whole(model: string, wire: Wire, field: string, least: number): number {
  const value = wire[field];
  return typeof value === "number" && Number.isInteger(value) && value >= least
    ? value
    : refuse(model, field, `a whole number, ${least} or more`);
}

function text(model: string, wire: Wire, field: string): string {
  const value = wire[field];
  return typeof value === "string" ? value : refuse(model, field, "text");
}

/** One failed attempt of the vault to get a credential. */
export class RetryErrorInfo {
  /** Which attempt it was, counted from 1. */
  readonly attempt: number;
  readonly error: string;
  readonly errorType: string;
  /** Seconds that the vault waited after it. */
  readonly delayS: number;
  readonly permanent: boolean;

  constructor(wire: Wire) {
    const delay = wire["delay_s"];
    this.attempt = whole("RetryErrorInfo", wire, "attempt", 1);
    this.error = text("RetryErrorInfo", wire, "error");
    this.errorType = text("RetryErrorInfo", wire, "error_type");
    this.delayS =
      typeof delay === "number" && delay >= 0
        ? delay
        : refuse("RetryErrorInfo", "delay_s", "a number that is not negative");
    this.permanent = wire["permanent"] === true;
    Object.freeze(this);
  }

  /** The object as the vault wrote it. */
  toJSON(): Wire {
    const { attempt, error, errorType, delayS, permanent } = this;
    return { attempt, error, error_type: errorType, delay_s: delayS, permanent };
  }
}

/** How often the vault tried to get a credential before it had one. */
export class RetryInfo {
  readonly totalAttempts: number;
  /** The attempt that succeeded, counted from 1; 0 if none did. */
  readonly successfulAttempt: number;
  readonly errors: readonly RetryErrorInfo[];

  constructor(wire: Wire) {
    this.totalAttempts = whole("RetryInfo", wire, "total_attempts", 1);
    this.successfulAttempt = whole("RetryInfo", wire, "successful_attempt", 0);
    if (this.successfulAttempt > this.totalAttempts) {
      refuse("RetryInfo", "successful_attempt", "at most total_attempts");
    }
    const errors = wire["errors"] ?? [];
    if (!Array.isArray(errors)) {
      refuse("RetryInfo", "errors", "a list");
    }
    this.errors = Object.freeze(errors.map((entry: Wire) => new RetryErrorInfo(entry)));
    Object.freeze(this);
  }

  /** The object as the vault wrote it. */
  toJSON(): Wire {
    const { totalAttempts, successfulAttempt, errors } = this;
    return {
      total_attempts: totalAttempts,
      successful_attempt: successfulAttempt,
      errors: errors.map((error) => error.toJSON()),
    };
  }
}

/** The key's rate limit, as the vault's last answer told it. */
export class RateLimitSnapshot {
  /** Requests allowed in the present window. */
  readonly limit: number;
  /** Requests left in it. */
  readonly remaining: number;
  /** When the next window begins. */
  readonly resetAt: Date;

  constructor(wire: Wire) {
    this.limit = whole("RateLimitSnapshot", wire, "limit", 0);
    this.remaining = whole("RateLimitSnapshot", wire, "remaining", 0);
    this.resetAt = new Date(text("RateLimitSnapshot", wire, "reset_at"));
    if (Number.isNaN(this.resetAt.getTime())) {
      refuse("RateLimitSnapshot", "reset_at", "a date and time (ISO 8601)");
    }
    Object.freeze(this);
  }

  /** The object as the vault would write it. */
  toJSON(): Wire {
    return { limit: this.limit, remaining: this.remaining, reset_at: this.resetAt.toISOString() };
  }
}
