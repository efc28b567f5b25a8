//! `cargo xtask demo`: a vault, a provider, and one call made from four places by programs that never hold the credential; then a person who connects
//! an account of theirs, and a call of an agent that waits until somebody agrees.
//!
//! It shows and it checks: the exit status is 0 only if everything that it prints was true.

mod act;
mod second;
mod third;

use alter_testkit::provider::{Account, Credential, Provider};
use alter_testkit::vault::Vault;

use crate::checks::{node, python, rust};
use crate::demo::act::{Access, Caller, Stage};
use crate::project::Project;
use crate::report::{Checks, Failure, Report};
use crate::tools;

/// The credential of the demo. Whoever calls must never see it.
const SECRET: &str = "demo-secret-9d41c7";

/// Runs the demo.
pub fn run(project: &Project, report: &mut Report) {
    report.heading("Getting ready");
    let built = rust::programs(project, report, &["alter-cli", "alter-demo"]);
    report.step("Node tools", || tools::node_modules(project).map(|_| Checks::NONE));
    if !built || python::installed(project, report).is_none() || !node::installed(project, report) {
        return;
    }
    let Some(stage) = report.value("a vault and a provider on loopback", || Ok((set(project)?, Checks::NONE))) else { return };
    report.say(format!("    vault     {} on the empty folder {}", stage.vault.url(), stage.vault.data().display()));
    report.say(format!("    provider  {} answers 401 without its credential", stage.provider.url()));
    play(report, stage);
}

fn set(project: &Project) -> Result<Stage, Failure> {
    let provider = Provider::start()?;
    // The vault calls public addresses only, unless its operator says otherwise.
    let vault = Vault::start_in(&project.built("alter"), &[("ALTER_EGRESS_ALLOW", &provider.address().to_string())])?;
    let bearer = Credential::Header { name: "authorization".to_owned(), value: format!("Bearer {SECRET}") };
    provider.open("/", Account { credentials: vec![bearer], answer: None });
    Ok(Stage { project: project.clone(), vault, provider })
}

fn play(report: &mut Report, stage: Stage) {
    report.heading("1. An operator stores a secret and permits its use");
    let Some(access) = report.value("secret and grant are stored", || stage.grant_access(SECRET)) else { return };
    for line in &access.lines {
        report.say(format!("    $ {line}"));
    }

    report.heading("2. The same call from four places, none of which holds the credential");
    for caller in Caller::ALL {
        let Some(call) = report.value(caller.name(), || stage.call(caller, &access, SECRET)) else { continue };
        report.say(format!("    the application saw  {}", call.application));
        report.say(format!("    the provider saw     {}", call.provider));
    }

    report.heading("3. A call that is denied: the grant is taken back");
    report.step("grant is revoked", || stage.revoke(&access));
    let mut denied = 0;
    for caller in Caller::ALL {
        let Some(error) = report.value(caller.name(), || stage.denied(caller, &access)) else { continue };
        report.say(format!("    the application saw  {error}"));
        denied += 1;
    }
    if denied == Caller::ALL.len() {
        report.say("    the provider saw     nothing");
    }

    report.heading("4. What the audit says, with its chain verified");
    let rows = report.value("every call has its row", || stage.audit(&access, SECRET));
    for row in rows.iter().flatten() {
        report.say(format!("    {row}"));
    }

    report.heading("5. A person connects an account of theirs, with their own browser");
    second_act(report, &stage, &access);

    report.heading("6. An agent asks, somebody agrees, the vault makes the call");
    third_act(report, &stage, &access);

    report.heading("7. Nothing is left");
    report.step("vault and provider stopped, folder gone", || stage.leave());
}

fn second_act(report: &mut Report, stage: &Stage, access: &Access) {
    let Some((accounts, lines)) = report.value("a provider with accounts of people", || stage.accounts()) else { return };
    for line in lines {
        report.say(format!("    $ {line}"));
    }
    report.say("    $ alter connect calendar");
    let Some(connected) = report.value("the person signs in there and agrees", || stage.connect(access, &accounts)) else { return };
    report.say(format!("    the person saw       {}", connected.pages.join(" > ")));
    report.say(format!("    the account          {}", connected.account));
    if let Some(saw) = report.value("the application calls the account", || stage.use_account(access, &accounts, &connected)) {
        report.say(format!("    the application saw  {saw}"));
    }
    if let Some(error) =
        report.value("the access is taken back, and the provider is told", || stage.end_access(access, &accounts, &connected))
    {
        report.say(format!("    the application saw  {error}"));
    }
}

fn third_act(report: &mut Report, stage: &Stage, access: &Access) {
    let Some(asking) = report.value("the agent's call waits", || stage.ask(access)) else { return };
    for line in &asking.lines {
        report.say(format!("    $ {line}"));
    }
    for line in &asking.shown {
        report.say(format!("    {line}"));
    }
    if let Some(agreed) = report.value("it is agreed to, and made once", || stage.agree(asking, SECRET)) {
        report.say(format!("    $ {}", agreed.line));
        report.say(format!("    the agent saw        {}", agreed.agent));
        report.say(format!("    the provider saw     {}", agreed.provider));
        for row in &agreed.rows {
            report.say(format!("    {row}"));
        }
    }
}
