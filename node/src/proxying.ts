/** Calls that the vault makes itself, and people's decisions about them. */

import { Connecting } from "./connecting.js";
import type { HttpMethod } from "./enums.js";
import { isPlainObject } from "./error-parts.js";
import type { ApprovalResult, ApprovalStatus, PendingApproval } from "./models/index.js";
import {
  APPROVAL_STATUS,
  type ApprovalStatusOptions,
  AWAIT_APPROVAL,
  type AwaitApprovalOptions,
  PROXY_REQUEST,
  type ProxyCall,
  type ProxyRequestOptions,
} from "./proxy-options.js";

/** A client with calls through the vault. */
export abstract class Proxying extends Connecting {
  /**
   * Has the vault call a provider, so that the credential never leaves it. It works for every grant, and is the only way for those that have
   * limits or need a person's approval.
   *
   * ```ts
   * let result = await app.proxyRequest("POST", url, { grantId, json: { amount: 5 }, reason: "The parcel never came" });
   * if (result instanceof PendingApproval) {
   *   result = await app.awaitApproval(result.approvalId);
   * }
   * console.log(result.statusCode, result.bodyJson());
   * ```
   *
   * @returns The provider's answer, whatever its status, or the approval that the call waits for.
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws PolicyViolationError - A policy forbids the call.
   * @throws BackendError - The vault refused; its other subclasses say why.
   * @throws TimeoutError - No answer in time. The call may have been made, or wait for approval.
   */
  proxyRequest(
    method: HttpMethod | string,
    url: string,
    options?: ProxyRequestOptions | null,
  ): Promise<ApprovalResult | PendingApproval>;
  proxyRequest(call: ProxyCall): Promise<ApprovalResult | PendingApproval>;
  proxyRequest(first: unknown, url?: unknown, options?: unknown): Promise<ApprovalResult | PendingApproval> {
    if (url === undefined && isPlainObject(first)) {
      const { method, url: address, ...rest } = first as Partial<ProxyCall>;
      return this.operate("proxy_request", { method, url: address }, PROXY_REQUEST, rest);
    }
    return this.operate("proxy_request", { method: first, url }, PROXY_REQUEST, options);
  }

  /**
   * What has become of a call that needs a decision, by now.
   *
   * @param approvalId - `approvalId` of the `PendingApproval`.
   * @throws AlterValueError - An argument was refused; nothing was sent.
   * @throws BackendError - The vault refused; `details.error` says why.
   */
  getApprovalStatus(approvalId: string, options?: ApprovalStatusOptions | null): Promise<ApprovalStatus> {
    return this.operate("get_approval_status", { approval_id: approvalId }, APPROVAL_STATUS, options);
  }

  /**
   * Waits until people have decided about a call and the vault has made it. Short faults are waited out.
   *
   * @param approvalId - `approvalId` of the `PendingApproval`.
   * @returns The provider's answer, whatever its status.
   * @throws ApprovalDeniedError - An approver refused.
   * @throws ApprovalExpiredError - Nobody decided in time.
   * @throws ApprovalExecutionFailedError - It was approved, and the call failed.
   * @throws ApprovalTimeoutError - The wait is over; the approval may still be open.
   * @throws BackendError - The vault refused, or its answer cannot be trusted.
   */
  awaitApproval(approvalId: string, options?: AwaitApprovalOptions | null): Promise<ApprovalResult> {
    return this.operate("await_approval", { approval_id: approvalId }, AWAIT_APPROVAL, options);
  }
}
