//! Calls an API through a grant: `quickstart URL GRANT_ID`, with the app's key in `ALTER_API_KEY`.

use std::env;

use alter_sdk::{App, Request};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(url), Some(grant)) = (arguments.next(), arguments.next()) else {
        return Err("usage: quickstart URL GRANT_ID".into());
    };

    let app = App::builder(env::var("ALTER_API_KEY")?).build()?;
    let response = app.request(Request::get(url).grant_id(grant)).await?;
    println!("{} {}", response.status, response.text());
    app.close().await;
    Ok(())
}
