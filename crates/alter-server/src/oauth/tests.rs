//! What the unit tests of this module share: a scripted provider, and clients of shipped entries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use alter_core::secret::Secret;
use bytes::Bytes;
use http::{Request, Response};

use super::catalogue::{Catalogue, Provider};
use super::client::{Client, ClientCredentials};
use super::driver::{Driver, Http, Sent};
use crate::clock::{ManualClock, Timestamp};
use crate::egress::{EgressError, Limits};

/// When the tests' clock stands: 2023-11-14T22:13:20Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub fn provider_of(id: &str) -> Provider {
    Catalogue::shipped().get(id).expect("a shipped entry").clone()
}

pub fn client_of(id: &str) -> Client {
    client_for(provider_of(id))
}

pub fn client_for(provider: Provider) -> Client {
    let settings = provider.settings.iter().map(|name| (name.clone(), "acme".to_owned())).collect();
    let credentials = ClientCredentials { id: "id".into(), secret: Some(Secret::new("s e:c")) };
    Client::new(provider, settings, credentials, "https://vault.example.com/callback".into()).expect("a good entry")
}

/// Answers in order, and remembers what was asked.
#[derive(Debug, Default)]
pub struct Script {
    answers: Mutex<VecDeque<Result<Response<Bytes>, EgressError>>>,
    asked: Mutex<Vec<Request<Bytes>>>,
}

impl Script {
    pub fn of(answers: impl IntoIterator<Item = Result<Response<Bytes>, EgressError>>) -> (Arc<Self>, Driver) {
        let script = Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() });
        let driver = Driver::new(Arc::clone(&script) as Arc<dyn Http>, Arc::new(ManualClock::at(NOW)));
        (script, driver)
    }

    pub fn asked(&self) -> Vec<Request<Bytes>> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Http for Script {
    fn send(&self, request: Request<Bytes>, _: Limits) -> Sent<'_> {
        self.asked.lock().expect("no panic").push(request);
        let answer = self.answers.lock().expect("no panic").pop_front().expect("the script has an answer for every call");
        Box::pin(std::future::ready(answer))
    }
}

pub fn json(status: u16, body: &serde_json::Value) -> Result<Response<Bytes>, EgressError> {
    answer(status, "application/json", body.to_string())
}

pub fn answer(status: u16, kind: &str, body: impl Into<Bytes>) -> Result<Response<Bytes>, EgressError> {
    Ok(Response::builder().status(status).header("content-type", kind).body(body.into()).expect("a response"))
}
