"""The text enums of the package. Any other text is accepted wherever their members are."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 11):
    from enum import StrEnum
else:
    from enum import Enum

    class StrEnum(str, Enum):
        """What Python 3.11 has: an enum whose members are their text in every way."""

        __str__ = str.__str__
        __format__ = str.__format__


class HttpMethod(StrEnum):
    """The usual HTTP methods."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"


class CallerType(StrEnum):
    """What a caller is; audit rows are grouped by it."""

    AGENT = "agent"
    SERVICE = "service"


class Provider(StrEnum):
    """Providers that the vault knows by name. A member's name is its value in upper case, with `_` for `-`."""

    ACUITY_SCHEDULING = "acuity-scheduling"
    ADOBE = "adobe"
    AIRCALL = "aircall"
    AIRTABLE = "airtable"
    APOLLO = "apollo"
    ASANA = "asana"
    ATLASSIAN = "atlassian"
    ATTIO = "attio"
    AUTODESK = "autodesk"
    BASECAMP = "basecamp"
    BITBUCKET = "bitbucket"
    BITLY = "bitly"
    BOX = "box"
    BREX = "brex"
    CALENDLY = "calendly"
    CAL_COM = "cal-com"
    CANVA = "canva"
    CLICKUP = "clickup"
    CLOSE = "close"
    CONSTANT_CONTACT = "constant-contact"
    CONTENTFUL = "contentful"
    DEEL = "deel"
    DIALPAD = "dialpad"
    DIGITALOCEAN = "digitalocean"
    DISCORD = "discord"
    DOCUSIGN = "docusign"
    DROPBOX = "dropbox"
    EBAY = "ebay"
    EVENTBRITE = "eventbrite"
    FACEBOOK = "facebook"
    FIGMA = "figma"
    GITHUB = "github"
    GITLAB = "gitlab"
    GOOGLE = "google"
    HUBSPOT = "hubspot"
    INSTAGRAM = "instagram"
    KLAVIYO = "klaviyo"
    LINEAR = "linear"
    LINKEDIN = "linkedin"
    MAILCHIMP = "mailchimp"
    MERCURY = "mercury"
    MICROSOFT = "microsoft"
    MIRO = "miro"
    MONDAY = "monday"
    NOTION = "notion"
    OUTREACH = "outreach"
    PAGERDUTY = "pagerduty"
    PAYPAL = "paypal"
    PINTEREST = "pinterest"
    PIPEDRIVE = "pipedrive"
    QUICKBOOKS = "quickbooks"
    RAMP = "ramp"
    REDDIT = "reddit"
    RINGCENTRAL = "ringcentral"
    RIPPLING = "rippling"
    SALESFORCE = "salesforce"
    SENTRY = "sentry"
    SLACK = "slack"
    SNAPCHAT = "snapchat"
    SPOTIFY = "spotify"
    SQUARE = "square"
    SQUARESPACE = "squarespace"
    STRIPE = "stripe"
    TIKTOK = "tiktok"
    TODOIST = "todoist"
    TWITTER = "twitter"
    TYPEFORM = "typeform"
    WEBEX = "webex"
    WEBFLOW = "webflow"
    XERO = "xero"
    ZOOM = "zoom"
