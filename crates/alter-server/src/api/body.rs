//! Reading request bodies: raw, bounded in size and in time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::refusal::Refusal;

/// Largest body of a request, in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;
/// How long a client may take to send it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole body, of the usual size.
///
/// # Errors
/// As of [`read_up_to`].
pub async fn read(body: Body) -> Result<Bytes, Refusal> {
    read_up_to(body, MOST_BYTES).await
}

/// The whole body, of at most so many bytes.
///
/// # Errors
/// 413 `body_too_large`, 408 `body_too_slow`, or 400 `invalid_body` for a transfer that broke off.
pub async fn read_up_to(body: Body, most: usize) -> Result<Bytes, Refusal> {
    let collected = tokio::time::timeout(PATIENCE, Limited::new(body, most).collect()).await.map_err(|_| {
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", format!("The body did not arrive within {} s.", PATIENCE.as_secs()))
    })?;
    collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
        if error.is::<LengthLimitError>() {
            let message = format!("The body is larger than {most} bytes.");
            return Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message);
        }
        Refusal::bad_request("invalid_body", "The body could not be read to its end.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Frame;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        assert_eq!(read(Body::from(vec![0; MOST_BYTES])).await.map(|body| body.len()), Ok(MOST_BYTES));
        let refusal = read(Body::from(vec![0; MOST_BYTES + 1])).await.expect_err("too large");
        assert_eq!((refusal.status(), refusal.code()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let silent = Body::new(Silent);
        assert_eq!(read(silent).await.expect_err("too slow").code(), "body_too_slow");
    }

    /// A body that never yields anything.
    struct Silent;

    impl hyper::body::Body for Silent {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            Poll::Pending
        }
    }
}
