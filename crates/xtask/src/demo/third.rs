//! The demo's third act: an agent's call waits until somebody agrees to it on the command line, and is made once.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use alter_testkit::children::Guarded;
use serde_json::{Value, json};

use crate::demo::act::{Access, Stage};
use crate::demo::second::{LIMIT, PAUSE, started};
use crate::report::{Checks, Failure};

/// What the agent asks for.
const RESOURCE: &str = "/v1/refunds";
const REASON: &str = "The parcel never came";
const NOTE: &str = "Checked with the carrier";

/// A call that waits.
pub struct Asking {
    /// The command lines that were typed.
    pub lines: Vec<String>,
    /// What the person who decides is shown.
    pub shown: Vec<String>,
    approval: String,
    folder: tempfile::TempDir,
    child: Guarded,
}

/// A call that was agreed to.
pub struct Agreed {
    /// The command line that was typed.
    pub line: String,
    /// What the agent got.
    pub agent: String,
    /// The request that arrived.
    pub provider: String,
    /// What the audit says of it.
    pub rows: Vec<String>,
}

impl Stage {
    /// An agent asks for a call with a grant that needs somebody's agreement.
    pub fn ask(&self, access: &Access) -> Result<(Asking, Checks), Failure> {
        let mut lines = Vec::new();
        let mut alter = |line: &str, member: &str| {
            lines.push(format!("alter {line}"));
            let records = self.vault.records(&line.split(' ').collect::<Vec<_>>(), "")?;
            let value = records.first().and_then(|record| record[member].as_str()).map(str::to_owned);
            value.ok_or_else(|| Failure::new(format!("`alter {line}` printed no {member}")))
        };
        let agent = alter("agent create support --app demo", "agent_id")?;
        let grant = alter("grant create --app demo --secret example --label refunds --requires-approval", "grant_id")?;
        let folder = tempfile::tempdir()?;
        let url = format!("{}{RESOURCE}", self.provider.url());
        let call = ["request", "POST", &url, "--proxy", "--grant", &grant, "--caller", &agent, "--reason", REASON];
        let mut command = Command::new(self.project.built("alter"));
        command.args(call).args(["--json-body", &json!({ "amount": 1000 }).to_string()]);
        for (name, value) in self.surroundings(access) {
            command.env(name, value);
        }
        let before = self.provider.seen("/").len();
        let child = started(&mut command, folder.path(), "request", Stdio::null())?;
        lines.push(format!("alter request POST {url} --proxy --caller {agent} --reason \"{REASON}\" … &"));
        let approval = self.waiting()?;
        if self.provider.seen("/").len() != before {
            return Err(Failure::new("the call did not wait"));
        }
        let shown = member(&approval, "approval_id");
        lines.push("alter approval list".to_owned());
        let told = [("status", "status"), ("agent", "agent"), ("method", "call"), ("reason", "why"), ("digest", "digest")];
        let told = told.map(|(name, head)| {
            let more = if name == "method" { format!(" {}", member(&approval, "url")) } else { String::new() };
            format!("{head:<20} {}{more}", member(&approval, name))
        });
        Ok((Asking { lines, shown: told.to_vec(), approval: shown, folder, child }, Checks::passed(2)))
    }

    /// The only call that waits.
    fn waiting(&self) -> Result<Value, Failure> {
        let end = Instant::now() + LIMIT;
        loop {
            if let [only] = self.vault.records(&["approval", "list", "--app", "demo"], "")?.as_slice() {
                return Ok(only.clone());
            }
            if Instant::now() > end {
                return Err(Failure::new("no call waits for anybody"));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Somebody agrees; the agent gets the provider's answer, the provider saw one call, and the audit says who agreed and why.
    pub fn agree(&self, asking: Asking, secret: &str) -> Result<(Agreed, Checks), Failure> {
        let before = self.provider.seen("/").len();
        self.vault.records(&["approval", "approve", &asking.approval, "--yes", "--reason", NOTE], "")?;
        let end = Instant::now() + LIMIT;
        let status = loop {
            match asking.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > end => return Err(Failure::new("the agent does not learn that its call was made")),
                None => thread::sleep(PAUSE),
            }
        };
        let printed = fs::read_to_string(asking.folder.path().join("request.out"))?;
        if !status.success() || !printed.contains(r#""ok":true"#) || printed.contains(secret) {
            let errors = fs::read_to_string(asking.folder.path().join("request.err"))?;
            return Err(Failure::new("the agent did not get the provider's answer").output(format!("{printed}{errors}")));
        }
        let seen = self.provider.seen("/");
        let [request] = &seen[before..] else {
            return Err(Failure::new(format!("{} requests reached the provider, not one", seen.len() - before)));
        };
        let rows = self.vault.records(&["audit", "tail", "--app", "demo", "--limit", "50"], "")?;
        let subject = format!("approval:{}", asking.approval);
        let mine: Vec<&Value> = rows.iter().filter(|row| row["subject"] == json!(subject)).collect();
        let wanted = ["approval.request", "approval.approve", "proxy.call", "proxy.answer"];
        if let Some(missing) = wanted.iter().find(|action| !mine.iter().any(|row| row["action"] == **action)) {
            return Err(Failure::new(format!("the audit has no {missing} of the call")));
        }
        if !mine.iter().any(|row| row["action"] == "approval.approve" && row["reason"] == NOTE && row["operator_id"].is_string()) {
            return Err(Failure::new("the audit does not say who agreed and why"));
        }
        let told = mine.iter().filter(|row| wanted.iter().any(|action| row["action"] == **action)).map(|row| {
            format!("{}  {:<17} {:<7}  {}", member(row, "at"), member(row, "action"), member(row, "outcome"), member(row, "reason"))
        });
        let authorization = request.request.headers.get("authorization").unwrap_or("nothing");
        let agreed = Agreed {
            line: format!("alter approval approve {} --reason \"{NOTE}\"", asking.approval),
            agent: printed.trim().to_owned(),
            provider: format!("{} {} with Authorization: {authorization}", request.request.method, request.request.target),
            rows: told.collect(),
        };
        Ok((agreed, Checks::passed(3)))
    }
}

fn member(record: &Value, name: &str) -> String {
    record[name].as_str().unwrap_or_default().to_owned()
}
