//! The seam between the wire and everything behind it.

use crate::kms::KeyCalls;
use crate::service::{Output, Request};

use super::{ApiError, Service};

/// What answers API calls: the application, or a test's echo.
pub trait Dispatch: Send + Sync + 'static {
    /// Runs one call to the end and says what to answer.
    ///
    /// The future is dropped when the caller hangs up, so an action that must
    /// not stop half way keeps its own task.
    fn call(
        &self,
        service: Service,
        request: Request,
    ) -> impl Future<Output = Result<Output, ApiError>> + Send;

    /// Records a call of a known sender that was refused before it became one: its body is not what the operation takes.
    /// `request` has no input. An error is answered in place of `error`.
    fn refused(
        &self,
        service: Service,
        request: Request,
        error: &ApiError,
    ) -> impl Future<Output = Result<(), ApiError>> + Send {
        let _ = (service, request, error);
        std::future::ready(Ok(()))
    }

    /// Whether calls can be served; `/ready` answers 503 until they can.
    fn ready(&self) -> bool {
        true
    }

    /// How often each KMS key was used since the start, by key and operation.
    fn key_calls(&self) -> Vec<KeyCalls> {
        Vec::new()
    }
}
