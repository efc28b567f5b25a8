//! Calls an API through a grant: `quickstart URL GRANT_ID`, with the app's key in `ALTER_API_KEY`.

use std::env;
use std::error::Error;
use std::process::ExitCode;

use alter_sdk::{App, Request, Response};

async fn call(url: &str, grant: &str) -> Result<Response, Box<dyn Error>> {
    let app = App::builder(env::var("ALTER_API_KEY")?).build()?;
    let answer = app.request(Request::get(url).grant_id(grant)).await;
    app.close().await;
    Ok(answer?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let [_, url, grant] = arguments.as_slice() else {
        eprintln!("usage: quickstart URL GRANT_ID");
        return ExitCode::from(2);
    };
    match call(url, grant).await {
        Ok(response) => {
            println!("{} {}", response.status, response.text());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
