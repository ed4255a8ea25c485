//! What an app is: `GET /info` and `GET /parameters`.

use serde_json::{Map, Value};

use crate::transport::Transport;
use crate::{AppKey, Error, Mode};

/// What Dify tells of an app to a holder of its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The app's name, as its author wrote it.
    pub name: String,
    /// The app's description; may be empty.
    pub description: String,
    /// What kind of app it is.
    pub mode: Mode,
    /// The workspace's tags on it.
    pub tags: Vec<String>,
    /// `GET /parameters`, verbatim but for `sensitive_word_avoidance`, of which `enabled` and `type` stay: Dify gives the
    /// list of forbidden words and the prepared answers to every holder of a key, and nobody past here is to have them.
    pub parameters: Value,
    /// Dify's version, from its `X-Version` header.
    pub dify_version: Option<String>,
}

impl Facts {
    /// Two reads, one after the other: reading is rare, and connections to Dify are few.
    pub(crate) async fn read(transport: &Transport, key: &AppKey) -> Result<Self, Error> {
        let reply = transport.get(key, "/info").await?;
        let info: Value = reply.json()?;
        let missing = |what: &str| Error::NotDify {
            url: transport.url("/info"),
            what: format!("no {what} in it"),
        };
        let text = |field: &str| info[field].as_str().map(str::to_owned);
        let name = text("name").ok_or_else(|| missing("name"))?;
        let mode = Mode::from(text("mode").ok_or_else(|| missing("mode"))?.as_str());
        let tags = info["tags"].as_array().into_iter().flatten();
        let tags = tags
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect();
        let mut parameters: Value = transport.get(key, "/parameters").await?.json()?;
        redact(&mut parameters);
        Ok(Self {
            name,
            description: text("description").unwrap_or_default(),
            mode,
            tags,
            parameters,
            dify_version: reply
                .headers
                .get("x-version")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        })
    }
}

/// Does the app's moderation look at what the app says, and may replace it? Anything but a clear no is a yes.
pub(crate) async fn moderates_answers(transport: &Transport, key: &AppKey) -> Result<bool, Error> {
    let parameters: Value = transport.get(key, "/parameters").await?.json()?;
    let moderation = &parameters["sensitive_word_avoidance"];
    let answers = &moderation["config"]["outputs_config"];
    Ok(moderation["enabled"] != false && answers["enabled"] != false)
}

fn redact(parameters: &mut Value) {
    if let Some(moderation) = parameters.get_mut("sensitive_word_avoidance") {
        let kept: Map<String, Value> = ["enabled", "type"]
            .into_iter()
            .filter_map(|field| {
                moderation
                    .get(field)
                    .map(|value| (field.to_owned(), value.clone()))
            })
            .collect();
        *moderation = Value::Object(kept);
    }
}
