use serde_json::{Map, Value};

use crate::field::{flag, words};
use crate::files::Files;

/// The files that an app takes beside its form, for the whole message (`sys.files`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Uploads {
    /// What each file may be.
    pub files: Files,
    /// The most files.
    pub max_items: Option<u64>,
}

impl Uploads {
    /// Reads `file_upload` of Dify's `GET /parameters`; none where it is switched off. Simple chat apps have their switch
    /// one level deeper, and take images only.
    #[must_use]
    pub fn parse(parameters: &Value) -> Option<Uploads> {
        let upload = parameters["file_upload"].as_object()?;
        if flag(upload, "enabled") {
            return Some(Uploads {
                files: Files::parse(upload),
                max_items: most(upload),
            });
        }
        let image = upload.get("image")?.as_object()?;
        flag(image, "enabled").then(|| Uploads {
            files: Files {
                types: vec!["image".to_owned()],
                extensions: Vec::new(),
                methods: words(image, "transfer_methods"),
            },
            max_items: most(image),
        })
    }
}

fn most(body: &Map<String, Value>) -> Option<u64> {
    body.get("number_limits")?.as_u64().filter(|most| *most > 0)
}
