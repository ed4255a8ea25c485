//! A server for unit tests: it has a name, and nothing else.

use std::sync::LazyLock;

use tokio_util::sync::CancellationToken;

use crate::{About, Answer, Call, CallError, CallResult, End, ToolServer, Tools};

pub(crate) struct Fake {
    pub(crate) app: &'static str,
    pub(crate) epoch: u64,
}

static GONE: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);
static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::new(&[]).expect("nothing to refuse"));

impl ToolServer for Fake {
    fn app(&self) -> &str {
        self.app
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn about(&self) -> About<'_> {
        About {
            name: "fake".into(),
            title: None,
            version: "1".into(),
            instructions: None,
        }
    }

    fn tools(&self) -> &Tools {
        &TOOLS
    }

    fn call(&self, _call: Call) -> Answer<End<CallResult>> {
        Box::pin(async { Err(CallError::Unknown) })
    }

    fn gone(&self) -> &CancellationToken {
        &GONE
    }
}
