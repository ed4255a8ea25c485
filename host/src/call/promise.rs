//! A result that does not fit the output schema that the operator gave, or had learnt.
//!
//! A client may refuse such a result whole, so it becomes an error that holds what the app said; and a schema that was
//! learnt has then been a wrong guess, and is promised no more.

use airlock_registry::Error;
use airlock_sandbox::wit;

use super::service::Inner;
use crate::publish::{Promise, PublishedTool};

impl Inner {
    pub(super) async fn keep(
        &self,
        promise: &Promise,
        tool: &PublishedTool,
        result: &mut wit::CallResult,
    ) {
        // An error need not keep it (server/tools, "Output Schema").
        if result.is_error {
            return;
        }
        let Some(findings) = promise.broken(result.structured.as_deref()) else {
            return;
        };
        tracing::warn!(
            app = %self.record.slug, tool = tool.guest_name, findings, learnt = promise.learnt,
            "a result does not fit the output schema"
        );
        if promise.learnt {
            self.withdraw(promise, tool).await;
        }
        result.is_error = true;
        result.structured = None;
        let words = "The app has run, but its result is not of the form that this tool promises. The operator of this \
                     server can find in its log where it differs. This is what the app said:";
        result.content.insert(0, wit::Content::Text(words.into()));
    }

    /// Before the caller reads its result: who lists the tools then sees no promise any more.
    async fn withdraw(&self, promise: &Promise, tool: &PublishedTool) {
        let app = &self.record.slug;
        let registry = &self.shared.registry;
        let withdrawn = registry
            .withdraw_output(&self.record.id, &tool.guest_name, &promise.schema)
            .await;
        match withdrawn {
            Ok(_) => {
                tracing::warn!(%app, tool = tool.guest_name, "the output schema that was learnt is withdrawn")
            }
            // Another call was quicker, or the operator.
            Err(Error::Changed | Error::UnknownApp) => {}
            Err(error) => {
                tracing::error!(%app, %error, "an output schema that does not hold could not be withdrawn")
            }
        }
    }
}
