//! What happened lately, and what waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::ask::Admin;
use super::frame::{self, Frame, moment};
use super::plot;
use super::session::SignedIn;
use crate::api::Vault;

/// How long the store may take to prove that it can write.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Template)]
#[template(path = "console_overview.html")]
struct OverviewPage {
    frame: Frame,
    ready: bool,
    version: &'static str,
    waiting: usize,
    plots: Vec<Plot>,
}

struct Plot {
    title: &'static str,
    unit: &'static str,
    figure: String,
    svg: String,
    values: Vec<(String, u64)>,
}

/// `GET /console`
pub async fn show(State(vault): State<Arc<Vault>>, Extension(admin): Extension<Admin>, who: SignedIn) -> Response {
    let (activity, waiting) = match (admin.get(&who, "/activity?hours=24").await, admin.get(&who, "/approvals").await) {
        (Ok(activity), Ok(waiting)) => (activity, waiting),
        (Err(refused), _) | (_, Err(refused)) => return frame::refused(&who, &refused),
    };
    let hours = activity["items"].as_array().cloned().unwrap_or_default();
    let count = |items: &Value| items.as_array().map_or(0, |items| items.iter().filter(|item| item["status"] == "pending").count());
    let plots = vec![
        Plot::of(&hours, "calls", "Calls", "Calls", Sum::All),
        Plot::of(&hours, "refusals", "Refusals", "Refusals", Sum::Bad),
        Plot::of(&hours, "mean_duration_ms", "Time providers take", "Milliseconds on average", Sum::Last),
    ];
    let ready = vault.store.ready(Instant::now() + PATIENCE).await.is_ok();
    let frame = Frame::new(&who, "/console", None);
    frame::show(&who, &OverviewPage { frame, ready, version: env!("CARGO_PKG_VERSION"), waiting: count(&waiting["items"]), plots })
}

/// Which figure stands above a plot.
#[derive(Clone, Copy, PartialEq)]
enum Sum {
    /// All values together.
    All,
    /// The same, of something that should not be.
    Bad,
    /// The newest value.
    Last,
}

impl Plot {
    fn of(hours: &[Value], member: &str, title: &'static str, unit: &'static str, sum: Sum) -> Self {
        let value = |hour: &Value| hour[member].as_u64();
        let numbers: Vec<u64> = hours.iter().map(|hour| value(hour).unwrap_or(0)).collect();
        let figure = match sum {
            Sum::All | Sum::Bad => numbers.iter().sum::<u64>().to_string(),
            Sum::Last => hours.iter().rev().find_map(value).map_or_else(|| "–".to_owned(), |millis| format!("{millis} ms")),
        };
        let most = numbers.iter().max().copied().unwrap_or(0);
        let label = format!("{title} in each of the last {} hours; at most {most} in one", numbers.len());
        let from = |hour: &Value| hour["from"].as_str().and_then(moment).unwrap_or_default();
        let values = hours.iter().zip(&numbers).map(|(hour, number)| (from(hour), *number)).collect();
        Self { title, unit, figure, svg: plot::bars(&numbers, &label, sum == Sum::Bad), values }
    }
}
