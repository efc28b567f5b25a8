//! The people of an application: a real OpenID provider on loopback, at which whoever says a name is signed in.

use std::io::{self, BufRead, BufReader, PipeWriter};
use std::process::{Command, Stdio};

use alter_core::encoding::percent_decode;
use alter_testkit::browser::Browser;
use alter_testkit::children::Guarded;
use serde_json::{Value, json};

use crate::project::Project;
use crate::report::Failure;
use crate::tools;

/// The vault's client at the provider.
pub const VAULT_CLIENT: &str = "vault";
/// That client's secret.
pub const VAULT_SECRET: &str = "vault-secret-for-conformance";
/// The application's own client: the audience of the tokens that it hands to the vault.
pub const APP_CLIENT: &str = "application";
const APP_SECRET: &str = "application-secret-for-conformance";
/// Where the application's people come back to; nobody listens there.
const BACK: &str = "http://127.0.0.1:1/back";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The provider. It ends when it is dropped.
pub struct People {
    /// Its issuer.
    pub issuer: String,
    _child: Guarded,
    /// The provider ends with its standard input.
    _stdin: PipeWriter,
}

impl People {
    /// Starts the provider for a vault at this URL.
    ///
    /// # Errors
    /// When npm's packages are missing or the provider does not start.
    pub fn start(project: &Project, vault: &str) -> Result<Self, Failure> {
        tools::node_modules(project)?;
        let settings = json!({ "clients": [
            { "client_id": VAULT_CLIENT, "client_secret": VAULT_SECRET, "redirect_uris": [format!("{vault}/sign-in/callback")] },
            {
                "client_id": APP_CLIENT,
                "client_secret": APP_SECRET,
                "redirect_uris": [BACK],
                "token_endpoint_auth_method": "client_secret_post",
            },
        ]});
        let (reader, writer) = io::pipe()?;
        let (input, stdin) = io::pipe()?;
        let mut command = Command::new("node");
        command.arg("tests/oidc/provider.mjs").arg(settings.to_string()).current_dir(project.root());
        let child = Guarded::spawn(command.stdin(input).stdout(writer).stderr(Stdio::null()))?;
        // Its ends of the pipes are with the child only.
        drop(command);
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line)?;
        let said: Value =
            serde_json::from_str(&line).map_err(|_| Failure::new("the OpenID provider did not start").output(line.clone()))?;
        let issuer = said["issuer"].as_str().unwrap_or_default().to_owned();
        Ok(Self { issuer, _child: child, _stdin: stdin })
    }

    /// A token that the provider gives the application when somebody of this name signs in there.
    ///
    /// # Errors
    /// When the provider gives none.
    pub fn token(&self, name: &str) -> Result<String, Failure> {
        let mut browser = Browser::of(name);
        let url = format!(
            "{}/auth?client_id={APP_CLIENT}&response_type=code&scope=openid%20email%20profile%20groups&redirect_uri={BACK}\
             &code_challenge={CHALLENGE}&code_challenge_method=S256",
            self.issuer
        );
        let back = browser.visit(&url, Some(BACK))?.location.unwrap_or_default();
        let code = back.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).map(percent_decode);
        let code = code.ok_or_else(|| Failure::new(format!("the OpenID provider sent {name} back without a code: {back}")))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
            ("client_id", APP_CLIENT),
            ("client_secret", APP_SECRET),
        ];
        let answer = browser.post(&format!("{}/token", self.issuer), None, &form)?;
        let tokens: Value = serde_json::from_str(&answer.text)?;
        tokens["id_token"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::new("the OpenID provider gave no ID token").output(answer.text))
    }
}
