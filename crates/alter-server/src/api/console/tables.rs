//! The lists of the admin API as tables.

use alter_core::encoding::percent_encode;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use http::StatusCode;
use serde_json::Value;

use super::ask::{Admin, Refused};
use super::frame::{self, Frame};
use super::session::SignedIn;
use super::table::{Column, Shown, Table, View};
use crate::api::web::page;

/// Records that are read of one list.
const MOST: u32 = 1000;

/// A kind of things that an application has.
pub struct Noun {
    /// Its name in addresses, here and in the admin API.
    pub name: &'static str,
    /// What the page is called.
    pub title: &'static str,
    /// What there is to say if there are none.
    empty: &'static str,
    /// How they are made.
    command: &'static str,
    columns: &'static [Column],
}

macro_rules! columns {
    ($($label:literal: $member:literal),+ $(,)?) => { &[$(Column { label: $label, member: $member }),+] };
}

/// What an application has, in the order of the side bar.
pub const NOUNS: &[Noun] = &[
    Noun {
        name: "keys",
        title: "Keys",
        empty: "It has no key yet, so none of its programs can call.",
        command: "alter key create",
        columns: columns!["Name": "name", "Key": "key_prefix", "Kind": "key_type", "Status": "status", "Scopes": "scopes", "Networks": "cidr_allowlist",
            "Ends": "expires_at", "Last used": "last_used_at"],
    },
    Noun {
        name: "agents",
        title: "Agents",
        empty: "It has no agents.",
        command: "alter agent create NAME",
        columns: columns!["Name": "name", "Status": "status", "May use": "scopes", "Policy": "policy", "Made": "created_at", "Last used": "last_used_at"],
    },
    Noun {
        name: "grants",
        title: "Grants",
        empty: "Nothing may be used yet.",
        command: "alter grant create --secret NAME",
        columns: columns!["Grant": "grant_id", "Provider": "provider_id", "Holder": "principal_type", "User": "app_user_id", "Account": "account_identifier",
            "Label": "label", "Status": "status", "Ends": "expires_at", "Last used": "last_used_at"],
    },
    Noun {
        name: "policies",
        title: "Policies",
        empty: "No operator has written a policy: what a grant and its key allow is allowed.",
        command: "alter policy create NAME --file FILE",
        columns: columns!["Name": "name", "Version": "version", "Text": "source", "Changed": "updated_at"],
    },
    Noun {
        name: "secrets",
        title: "Secrets",
        empty: "No secret is stored.",
        command: "alter secret create NAME --bearer --allow-host HOST",
        columns: columns!["Name": "slug", "Kind": "kind", "Hosts": "allowed_hosts", "Version": "version", "Status": "status", "Changed": "updated_at"],
    },
    Noun {
        name: "providers",
        title: "Providers",
        empty: "It is registered at no provider.",
        command: "alter provider add NAME",
        columns: columns!["Provider": "id", "Name": "name", "Status": "status", "Scopes": "scopes", "Hosts": "api_hosts"],
    },
    Noun {
        name: "specs",
        title: "API descriptions",
        empty: "No description of an API is loaded.",
        command: "alter spec load NAME --file FILE",
        columns: columns!["Provider": "provider_id", "Title": "title", "Version": "spec_version", "Operations": "operation_count", "Loaded": "fetched_at"],
    },
];

#[derive(Template)]
#[template(path = "console_table.html")]
struct TablePage<'a> {
    frame: Frame,
    title: &'a str,
    path: &'a str,
    query: &'a str,
    empty: &'a str,
    command: Option<&'a str>,
    table: Table,
    counted: String,
    next: Option<String>,
}

/// A list, and how it is shown.
struct List<'a> {
    title: &'a str,
    /// The page's own path.
    path: String,
    /// The admin API's.
    from: String,
    empty: &'a str,
    command: Option<&'a str>,
    columns: &'a [Column],
    app: Option<&'a str>,
    link: &'a (dyn Fn(&Value) -> Option<String> + Sync),
}

impl List<'_> {
    async fn show(&self, admin: &Admin, who: &SignedIn, view: &View) -> Response {
        let records = match admin.get(who, &self.from).await {
            Ok(mut answer) => match answer["items"].take() {
                Value::Array(records) => records,
                _ => Vec::new(),
            },
            Err(refused) => return frame::refused(who, &refused),
        };
        let Shown { table, counted, next } = view.show(&self.path, self.columns, records, self.link);
        let frame = Frame::new(who, self.path.clone(), self.app);
        let (title, path, query, empty, command) = (self.title, self.path.as_str(), view.q.as_str(), self.empty, self.command);
        frame::show(who, &TablePage { frame, title, path, query, empty, command, table, counted, next })
    }
}

/// `GET /console/apps`
pub async fn apps(Extension(admin): Extension<Admin>, who: SignedIn, Query(view): Query<View>) -> Response {
    let list = List {
        title: "Applications",
        path: "/console/apps".to_owned(),
        from: format!("/apps?limit={MOST}"),
        empty: "There is no application yet.",
        command: Some("alter app create NAME"),
        columns: columns!["Name": "name", "Id": "id", "Return URLs": "return_urls", "Webhook": "approval_webhook", "Made": "created_at"],
        app: None,
        link: &|app| Some(format!("/console/apps/{}", percent_encode(app["name"].as_str()?))),
    };
    list.show(&admin, &who, &view).await
}

/// `GET /console/operators`
pub async fn operators(Extension(admin): Extension<Admin>, who: SignedIn, Query(view): Query<View>) -> Response {
    let list = List {
        title: "Operators",
        path: "/console/operators".to_owned(),
        from: "/operators".to_owned(),
        empty: "There is no operator.",
        command: Some("alter key create --operator NAME"),
        columns: columns!["Name": "name", "Role": "role", "Key": "key_prefix", "Made": "created_at", "Revoked": "revoked_at"],
        app: None,
        link: &|_| None,
    };
    list.show(&admin, &who, &view).await
}

/// `GET /console/approvals`
pub async fn approvals(Extension(admin): Extension<Admin>, who: SignedIn, Query(view): Query<View>) -> Response {
    let list = List {
        title: "Waiting calls",
        path: "/console/approvals".to_owned(),
        from: format!("/approvals?all=true&limit={MOST}"),
        empty: "No call waits for anybody, and none ended within the last day.",
        command: Some("alter approval list"),
        columns: columns!["Asked": "created_at", "Status": "status", "Application": "app", "Agent": "agent", "Method": "method", "URL": "url", "Why": "reason",
            "Until": "expires_at"],
        app: None,
        link: &|approval| Some(format!("/console/approvals/{}", approval["approval_id"].as_str()?)),
    };
    list.show(&admin, &who, &view).await
}

/// `GET /console/apps/{app}`: the first of its lists.
pub async fn first(who: SignedIn, app: Result<Path<String>, PathRejection>) -> Response {
    let app = app.map(|Path(app)| app).unwrap_or_default();
    who.answer(page::redirect(&format!("/console/apps/{}/{}", percent_encode(&app), NOUNS[0].name), &[]))
}

/// `GET /console/apps/{app}/{noun}`
pub async fn of_app(
    Extension(admin): Extension<Admin>,
    who: SignedIn,
    place: Result<Path<(String, String)>, PathRejection>,
    Query(view): Query<View>,
) -> Response {
    let (app, name) = place.map(|Path(place)| place).unwrap_or_default();
    let Some(noun) = NOUNS.iter().find(|noun| noun.name == name) else {
        let message = "There is no such page. Choose one at the side.".to_owned();
        return frame::refused(&who, &Refused { status: StatusCode::NOT_FOUND, message });
    };
    let escaped = percent_encode(&app);
    let list = List {
        title: noun.title,
        path: format!("/console/apps/{escaped}/{}", noun.name),
        from: format!("/apps/{escaped}/{}?limit={MOST}", noun.name),
        empty: noun.empty,
        command: Some(noun.command),
        columns: noun.columns,
        app: Some(&app),
        link: &|record| {
            (noun.name == "grants").then(|| record["grant_id"].as_str().map(|id| format!("/console/audit?grant={id}"))).flatten()
        },
    };
    list.show(&admin, &who, &view).await
}
