//! The Rust SDK as a program uses it.

use alter_sdk::{App, Request};

use crate::Failure;
use crate::control::{Client, Order};

/// An application's client.
pub struct Sdk {
    app: App,
    provider_url: String,
    grant: String,
}

impl Client for Sdk {
    fn new(order: &Order) -> Result<Self, Failure> {
        Ok(Self {
            app: App::builder(&order.api_key).base_url(&order.base_url).build()?,
            provider_url: order.provider_url.clone(),
            grant: order.grants.first().ok_or("the order has no grant")?.clone(),
        })
    }

    async fn call(&self, _number: usize) -> Result<(), Failure> {
        let response = self.app.request(Request::get(&self.provider_url).grant_id(&self.grant)).await?;
        if response.status == 200 && !response.body.is_empty() { Ok(()) } else { Err("the provider's answer is not the stub's".into()) }
    }

    async fn close(&self) {
        self.app.close().await;
    }
}
