/** The text enums of the package. Any other text is accepted wherever their members are. */

/** The usual HTTP methods. */
export enum HttpMethod {
  GET = "GET",
  POST = "POST",
  PUT = "PUT",
  PATCH = "PATCH",
  DELETE = "DELETE",
  HEAD = "HEAD",
  OPTIONS = "OPTIONS",
}

/** What a caller is; audit rows are grouped by it. */
export enum CallerType {
  AGENT = "agent",
  SERVICE = "service",
}

/**
 * What a caller was in the first versions.
 *
 * @deprecated `CallerType` took its place.
 */
export enum ActorType {
  BACKEND_SERVICE = "backend_service",
  AI_AGENT = "ai_agent",
  MCP_SERVER = "mcp_server",
}

/** Providers that the vault knows by name. A member's name is its value in upper case, with `_` for `-`. */
export enum Provider {
  ACUITY_SCHEDULING = "acuity-scheduling",
  ADOBE = "adobe",
  AIRCALL = "aircall",
  AIRTABLE = "airtable",
  APOLLO = "apollo",
  ASANA = "asana",
  ATLASSIAN = "atlassian",
  ATTIO = "attio",
  AUTODESK = "autodesk",
  BASECAMP = "basecamp",
  BITBUCKET = "bitbucket",
  BITLY = "bitly",
  BOX = "box",
  BREX = "brex",
  CALENDLY = "calendly",
  CAL_COM = "cal-com",
  CANVA = "canva",
  CLICKUP = "clickup",
  CLOSE = "close",
  CONSTANT_CONTACT = "constant-contact",
  CONTENTFUL = "contentful",
  DEEL = "deel",
  DIALPAD = "dialpad",
  DIGITALOCEAN = "digitalocean",
  DISCORD = "discord",
  DOCUSIGN = "docusign",
  DROPBOX = "dropbox",
  EBAY = "ebay",
  EVENTBRITE = "eventbrite",
  FACEBOOK = "facebook",
  FIGMA = "figma",
  GITHUB = "github",
  GITLAB = "gitlab",
  GOOGLE = "google",
  HUBSPOT = "hubspot",
  INSTAGRAM = "instagram",
  KLAVIYO = "klaviyo",
  LINEAR = "linear",
  LINKEDIN = "linkedin",
  MAILCHIMP = "mailchimp",
  MERCURY = "mercury",
  MICROSOFT = "microsoft",
  MIRO = "miro",
  MONDAY = "monday",
  NOTION = "notion",
  OUTREACH = "outreach",
  PAGERDUTY = "pagerduty",
  PAYPAL = "paypal",
  PINTEREST = "pinterest",
  PIPEDRIVE = "pipedrive",
  QUICKBOOKS = "quickbooks",
  RAMP = "ramp",
  REDDIT = "reddit",
  RINGCENTRAL = "ringcentral",
  RIPPLING = "rippling",
  SALESFORCE = "salesforce",
  SENTRY = "sentry",
  SLACK = "slack",
  SNAPCHAT = "snapchat",
  SPOTIFY = "spotify",
  SQUARE = "square",
  SQUARESPACE = "squarespace",
  STRIPE = "stripe",
  TIKTOK = "tiktok",
  TODOIST = "todoist",
  TWITTER = "twitter",
  TYPEFORM = "typeform",
  WEBEX = "webex",
  WEBFLOW = "webflow",
  XERO = "xero",
  ZOOM = "zoom",
}

/** A member of `Provider`, or the name of any other provider or managed secret. */
export type ProviderId = Provider | (string & {});
