//! Many calls at once through a narrowed client: `parallel_calls URL GRANT_ID COUNT`, with the key in `ALTER_API_KEY`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its user")]

use alter_sdk::{App, Error, Request};

#[tokio::main]
async fn main() -> alter_sdk::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, grant_id, count] = &arguments[..] else {
        return Err(Error::invalid("usage: parallel_calls URL GRANT_ID COUNT"));
    };
    let count: usize = count.parse().map_err(|_| Error::invalid("COUNT must be a whole number."))?;

    let app = App::builder(std::env::var("ALTER_API_KEY").unwrap_or_default()).caller("example").build()?;
    // Whatever the key may do, these calls may retrieve tokens and nothing else.
    let narrowed = app.with_constraints(Some(&["tokens:retrieve"]), None)?;
    let calls = (0..count).map(|number| {
        let (client, request) = (narrowed.clone(), Request::get(url).grant_id(grant_id).context("number", number.to_string()));
        tokio::spawn(async move { client.request(request).await })
    });
    let mut done = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await {
            Ok(Ok(_)) => done += 1,
            Ok(Err(error)) => eprintln!("{error}"),
            Err(panicked) => eprintln!("{panicked}"),
        }
    }
    // Waits until the vault has every report of these calls.
    app.close().await;
    println!("{done} of {count} calls succeeded");
    Ok(())
}
