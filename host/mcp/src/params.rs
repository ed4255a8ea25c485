//! The members of `params` that mean something to us, in any request of any era.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{envelope::present, fault::Fault};

/// All as text: a member that the method at hand does not have may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    pub(crate) meta: Option<Meta<'a>>,
    /// `tools/call`, `prompts/get`
    #[serde(borrow)]
    pub(crate) name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
    /// Lists.
    #[serde(borrow)]
    pub(crate) cursor: Option<&'a RawValue>,
    /// `resources/read`, `resources/subscribe`
    #[serde(borrow)]
    pub(crate) uri: Option<&'a RawValue>,
    /// `completion/complete`
    #[serde(borrow, rename = "ref")]
    pub(crate) reference: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) argument: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) context: Option<&'a RawValue>,
    /// `logging/setLevel`
    #[serde(borrow)]
    pub(crate) level: Option<&'a RawValue>,
    /// `notifications/cancelled`
    #[serde(borrow)]
    pub(crate) request_id: Option<&'a RawValue>,
    /// `initialize`
    #[serde(borrow)]
    pub(crate) protocol_version: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) client_info: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) capabilities: Option<&'a RawValue>,
    /// A request that goes on, and `tasks/update`; `null` is told from absent, because it answers nothing.
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) input_responses: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) request_state: Option<&'a RawValue>,
    /// `subscriptions/listen`
    #[serde(borrow)]
    pub(crate) notifications: Option<&'a RawValue>,
    /// `tasks/get`, `tasks/update`, `tasks/cancel`
    #[serde(borrow)]
    pub(crate) task_id: Option<&'a RawValue>,
}

/// The members of `params._meta` that mean something to us.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Meta<'a> {
    #[serde(borrow, rename = "progressToken")]
    pub(crate) progress_token: Option<&'a RawValue>,
    /// Ours: are progress messages to show the answer's text as it grows?
    #[serde(borrow, rename = "airlock/partialText")]
    pub(crate) partial_text: Option<&'a RawValue>,
    /// Its presence marks a request of the stateless era.
    #[serde(borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    pub(crate) protocol_version: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientInfo")]
    pub(crate) client_info: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub(crate) client_capabilities: Option<&'a RawValue>,
    #[serde(borrow, rename = "io.modelcontextprotocol/logLevel")]
    pub(crate) log_level: Option<&'a RawValue>,
}

impl<'a> Params<'a> {
    pub(crate) fn read(params: Option<&'a RawValue>) -> Result<Self, Fault> {
        let Some(params) = params else {
            return Ok(Self::default());
        };
        serde_json::from_str(params.get()).map_err(|_error| {
            Fault::InvalidParams("a member is named twice, or _meta is no object".to_owned())
        })
    }
}
