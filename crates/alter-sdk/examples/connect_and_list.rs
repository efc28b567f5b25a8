//! Let the person at this machine connect an account, then list what there is.

#![allow(clippy::print_stdout, reason = "an example talks to its user")]

use alter_sdk::model::GrantListItem;
use alter_sdk::{App, Connect, ListGrants};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::builder(std::env::var("ALTER_API_KEY")?).build()?;
    let connected = app.connect(Connect::new(), |address| println!("Please visit: {address}")).await?;
    for account in &connected {
        println!("connected: {} ({})", account.provider_id, account.grant_id);
    }
    let page = app.list_grants(ListGrants::new().limit(50)).await?;
    for grant in &page.grants {
        match grant {
            GrantListItem::OAuth(grant) => println!("{} {} {}", grant.grant_id, grant.provider_id, grant.status),
            GrantListItem::ManagedSecret(grant) => println!("{} {} {}", grant.grant_id, grant.managed_secret_slug, grant.status),
        }
    }
    app.close().await;
    Ok(())
}
