//! Programs that use both vaults at once, and do not stop when one of them dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alter_sdk::{App, Error, MintGrant, Proxied, ProxyRequest, Request, WaitForApproval};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Failed;
use crate::ledger::Ledger;
use crate::vaults::Vaults;

/// How often a call is tried, on the two vaults in turn.
const MOST_ATTEMPTS: usize = 60;
const PAUSE: Duration = Duration::from_millis(250);
/// How long a program waits for people, and for a call under way.
const PATIENCE: Duration = Duration::from_secs(90);

/// The running load.
pub struct Load(JoinSet<()>);

/// What every program has.
#[derive(Clone)]
struct Program {
    vaults: Arc<Vaults>,
    ledger: Arc<Ledger>,
    apps: [App; 2],
    next: Arc<AtomicUsize>,
    end: Instant,
}

impl Load {
    /// Starts all programs; they begin nothing new after `end`.
    pub fn begin(vaults: &Arc<Vaults>, ledger: &Arc<Ledger>, end: Instant) -> Result<Self, Failed> {
        let app = |which| App::builder(&vaults.key).base_url(vaults.url(which)).timeout(Duration::from_secs(30)).build();
        let program =
            Program { vaults: Arc::clone(vaults), ledger: Arc::clone(ledger), apps: [app(0)?, app(1)?], next: Arc::default(), end };
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            tasks.spawn(program.clone().mint());
            tasks.spawn(program.clone().retrieve());
            tasks.spawn(program.clone().call_once());
            tasks.spawn(program.clone().ask());
        }
        Ok(Self(tasks))
    }

    /// Waits until every program has come to its end.
    pub async fn finish(mut self) -> Result<(), Failed> {
        while let Some(ended) = self.0.join_next().await {
            ended?;
        }
        Ok(())
    }
}

impl Program {
    fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// A number that no other call has.
    fn number(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes grants. Each that it is told of must be there in the end.
    async fn mint(self) {
        while self.goes_on() {
            let number = self.number();
            let minted = self.apps[number % 2].mint_grant(&self.vaults.grant, &format!("grant {number}"), MintGrant::new()).await;
            match minted {
                Ok(grant) => self.ledger.minted(grant.grant_id),
                Err(error) => self.refused("mint", &error).await,
            }
        }
    }

    /// Retrieves the credential and calls the provider. Each answer must have its row.
    async fn retrieve(self) {
        while self.goes_on() {
            let number = self.number();
            let request = Request::new("GET", self.vaults.api(&format!("/direct/{number}"))).grant_id(&self.vaults.grant);
            match self.apps[number % 2].request(request).await {
                Ok(_) => self.ledger.retrieved(),
                Err(error) => self.refused("retrieve", &error).await,
            }
        }
    }

    /// Has the vaults make calls under idempotency keys, each again until its end is known.
    async fn call_once(self) {
        while self.goes_on() {
            let number = self.number();
            let path = format!("/once/{number}");
            for attempt in 0..MOST_ATTEMPTS {
                let call = ProxyRequest::new().grant_id(self.vaults.grant.as_str()).json(json!({ "number": number }));
                let call = call.idempotency_key(format!("once-{number}"));
                match self.apps[(number + attempt) % 2].proxy_request("POST", &self.vaults.api(&path), call).await {
                    Ok(_) => {
                        self.ledger.answered(path);
                        break;
                    }
                    Err(error) if code(&error) == "outcome_unknown" => {
                        self.ledger.in_doubt(path);
                        break;
                    }
                    Err(error) => self.refused("call once", &error).await,
                }
            }
        }
    }

    /// Asks for calls that an operator agrees to, at both vaults at once, and waits for them.
    async fn ask(self) {
        while self.goes_on() {
            let number = self.number();
            let path = format!("/asked/{number}");
            let mut pending = None;
            for attempt in 0..MOST_ATTEMPTS {
                let call = ProxyRequest::new().grant_id(self.vaults.asks.as_str()).json(json!({ "number": number })).reason("soak");
                let call = call.idempotency_key(format!("asked-{number}"));
                match self.apps[(number + attempt) % 2].proxy_request("POST", &self.vaults.api(&path), call).await {
                    Ok(Proxied::Pending(asked)) => {
                        pending = Some(asked);
                        break;
                    }
                    Ok(Proxied::Answered(_)) => {
                        self.ledger.unexpected(format!("{path} was made before anybody agreed"));
                        break;
                    }
                    Err(error) => self.refused("ask", &error).await,
                }
            }
            if let Some(asked) = pending {
                self.agree(&asked.approval_group_id).await;
                self.wait(number, &asked.approval_id, path).await;
            }
        }
    }

    /// Two people agree at once, at a vault each. One decision counts; that the other does not, is no surprise.
    async fn agree(&self, approval: &str) {
        for _ in 0..MOST_ATTEMPTS {
            let both = [0, 1].map(|which| {
                let (vaults, approval) = (Arc::clone(&self.vaults), approval.to_owned());
                tokio::task::spawn_blocking(move || vaults.alter(which, &["approval", "approve", &approval, "--yes"], ""))
            });
            let mut decided = false;
            for deciding in both {
                match deciding.await {
                    Ok(Ok(_)) => decided = true,
                    // Decided before, perhaps by a request whose answer was lost with its vault.
                    Ok(Err(error)) => {
                        decided |=
                            ["approval_decided", "approval_over", "gate_decided_by_you"].iter().any(|code| error.to_string().contains(code))
                    }
                    Err(error) => self.ledger.unexpected(error.to_string()),
                }
            }
            if decided {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.ledger.unexpected(format!("nobody can decide about {approval}"));
    }

    async fn wait(&self, number: usize, approval: &str, path: String) {
        let limit = Instant::now() + PATIENCE;
        let mut attempt = number;
        while Instant::now() < limit {
            let wait = WaitForApproval::new().timeout(Duration::from_secs(5)).poll_interval(Duration::from_millis(200));
            match self.apps[attempt % 2].await_approval(approval, wait).await {
                Ok(_) => return self.ledger.answered(path),
                Err(error) if code(&error) == "approval_execution_failed" => return self.ledger.in_doubt(path),
                Err(error) if code(&error) == "approval_timeout" => {}
                Err(error) => self.refused("wait", &error).await,
            }
            attempt += 1;
        }
        self.ledger.unexpected(format!("{path} was agreed to and has no end"));
    }

    /// An error is noted, judged by the contract, and followed by a pause: a vault may be starting.
    async fn refused(&self, what: &str, error: &Error) {
        self.ledger.refused(what, error.kind().name(), &code(error), error.message());
        tokio::time::sleep(PAUSE).await;
    }
}

/// The vault's code of an error, or the SDK's.
fn code(error: &Error) -> String {
    error.details().get("error").and_then(|code| code.as_str()).map_or_else(|| error.code().to_owned(), str::to_owned)
}
