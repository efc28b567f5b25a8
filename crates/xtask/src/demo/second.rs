//! The demo's second act: a person connects an account of theirs with their own browser, the application calls, and access is taken back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use alter_testkit::children::Guarded;
use serde_json::{Value, json};

use crate::command::Run;
use crate::demo::act::{Access, Stage};
use crate::report::{Checks, Failure};

/// How long anything that must happen may take.
pub const LIMIT: Duration = Duration::from_secs(90);
/// How often it is looked at.
pub const PAUSE: Duration = Duration::from_millis(50);
/// The client secret that the provider gave to the vault.
const CLIENT_SECRET: &str = "demo-client-secret-77e0";
/// The person's name at the provider.
const PERSON: &str = "ada";

/// A provider with accounts of people: the npm package oidc-provider.
pub struct Accounts {
    // Before the folder, so that the process has ended when its files go.
    _child: Guarded,
    folder: tempfile::TempDir,
    issuer: String,
}

/// What a person gave access to.
pub struct Connected {
    /// The pages that they saw.
    pub pages: Vec<String>,
    /// The account.
    pub account: String,
    grant: String,
}

impl Stage {
    /// Starts the provider and registers the application there. Gives the command lines that did it.
    pub fn accounts(&self) -> Result<((Accounts, Vec<String>), Checks), Failure> {
        let folder = tempfile::tempdir()?;
        let redirect = format!("{}/oauth/callback", self.vault.url());
        let client = json!({
            "client_id": "alter", "client_secret": CLIENT_SECRET, "redirect_uris": [redirect],
            "grant_types": ["authorization_code", "refresh_token"],
        });
        let mut command = Command::new("node");
        command.arg("tests/oidc/provider.mjs").arg(json!({ "clients": [client] }).to_string()).current_dir(self.project.root());
        let child = started(&mut command, folder.path(), "provider", Stdio::piped())?;
        let line = first_line(&folder.path().join("provider.out"), |line| line.starts_with('{'), "the provider's address")?;
        let issuer = serde_json::from_str::<Value>(&line).ok().and_then(|said| said["issuer"].as_str().map(str::to_owned));
        let issuer = issuer.ok_or_else(|| Failure::new("the provider did not name itself").output(line))?;
        let line = format!(
            "provider add calendar --app demo --issuer {issuer} --client-id alter --scope openid --scope offline_access --scope email --stdin"
        );
        self.vault.records(&line.split(' ').collect::<Vec<_>>(), CLIENT_SECRET)?;
        Ok(((Accounts { _child: child, folder, issuer }, vec![format!("alter {line}")]), Checks::ONE))
    }

    /// Lets the person connect: the command waits, and they decide in their browser.
    pub fn connect(&self, access: &Access, accounts: &Accounts) -> Result<(Connected, Checks), Failure> {
        let folder = accounts.folder.path();
        let mut command = Command::new(self.project.built("alter"));
        command.args(["connect", "calendar", "--no-browser", "--json"]);
        for (name, value) in self.surroundings(access) {
            command.env(name, value);
        }
        let child = started(&mut command, folder, "connect", Stdio::null())?;
        let address = first_line(&folder.join("connect.err"), |line| line.starts_with("http"), "the address to go to")?;
        let person = Run::new("node").arg("tests/demo/person.mjs").args([&address, PERSON]).within(self.project.root());
        let pages = person.limit(LIMIT).success()?;
        let end = Instant::now() + LIMIT;
        while child.try_wait()?.is_none() {
            if Instant::now() > end {
                return Err(Failure::new("`alter connect` does not learn what the person decided").output(pages));
            }
            thread::sleep(PAUSE);
        }
        let printed = fs::read_to_string(folder.join("connect.out"))?;
        let told: Value = serde_json::from_str(printed.lines().next().unwrap_or_default())
            .map_err(|_| Failure::new("`alter connect` printed no grant").output(printed))?;
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let pages: Vec<String> = pages.lines().map(str::to_owned).collect();
        if pages.last().is_none_or(|last| !last.starts_with("Connected")) || text("grant_id").is_empty() {
            return Err(Failure::new("the person did not get to the end").output(pages.join("\n")));
        }
        Ok((Connected { pages, account: text("account_identifier"), grant: text("grant_id") }, Checks::ONE))
    }

    /// Calls the person's account through the grant; gives what the application saw.
    pub fn use_account(&self, access: &Access, accounts: &Accounts, connected: &Connected) -> Result<(String, Checks), Failure> {
        let (status, printed, errors) = self.account_call(access, accounts, connected).separate()?;
        if !status.success() || !printed.contains(&format!(r#""sub":"{PERSON}""#)) {
            return Err(Failure::new("the provider did not tell whose account it is").output(format!("{printed}{errors}")));
        }
        Ok((printed.trim().to_owned(), Checks::ONE))
    }

    /// Takes the access back: the next call is refused, and the provider has been told.
    pub fn end_access(&self, access: &Access, accounts: &Accounts, connected: &Connected) -> Result<(String, Checks), Failure> {
        self.vault.records(&["grant", "revoke", &connected.grant, "--app", "demo", "--yes"], "")?;
        let (status, printed, errors) = self.account_call(access, accounts, connected).separate()?;
        if status.success() || !errors.contains("revoked") {
            return Err(Failure::new("the call was not refused").output(format!("{printed}{errors}")));
        }
        let end = Instant::now() + LIMIT;
        loop {
            let rows = self.vault.records(&["audit", "tail", "--app", "demo", "--limit", "50"], "")?;
            if rows.iter().any(|row| row["action"] == "credential.revoke" && row["outcome"] == "done") {
                return Ok((errors.lines().next().unwrap_or_default().to_owned(), Checks::passed(2)));
            }
            if Instant::now() > end {
                return Err(Failure::new("the provider was not told that the access is over"));
            }
            thread::sleep(PAUSE);
        }
    }

    fn account_call(&self, access: &Access, accounts: &Accounts, connected: &Connected) -> Run {
        let call = Run::new(self.project.built("alter")).args(["request", "GET", &format!("{}/me", accounts.issuer)]);
        let call = call.args(["--grant", &connected.grant]).limit(LIMIT);
        self.surroundings(access).into_iter().fold(call, |call, (name, value)| call.env(name, value))
    }
}

/// Starts a program whose output goes into files of the folder.
pub fn started(command: &mut Command, folder: &Path, name: &str, stdin: Stdio) -> Result<Guarded, Failure> {
    let file = |ending: &str| File::create(folder.join(format!("{name}.{ending}")));
    Ok(Guarded::spawn(command.stdin(stdin).stdout(file("out")?).stderr(file("err")?))?)
}

/// Waits for a line of a file that fits.
fn first_line(file: &PathBuf, fits: impl Fn(&str) -> bool, what: &str) -> Result<String, Failure> {
    let end = Instant::now() + LIMIT;
    loop {
        let text = fs::read_to_string(file)?;
        // The last line may still be growing.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        if let Some(line) = whole.lines().map(str::trim).find(|line| fits(line)) {
            return Ok(line.to_owned());
        }
        if Instant::now() > end {
            return Err(Failure::new(format!("{what} was not printed")).output(text));
        }
        thread::sleep(PAUSE);
    }
}
