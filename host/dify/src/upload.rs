//! `POST /files/upload`: a caller's file, handed over so that a run may name it.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use serde::Deserialize;

use crate::pieces::Pieces;
use crate::transport::Content;
use crate::{App, Error};

/// A file to hand over.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its name with its ending, by which Dify tells what it is.
    pub name: String,
    /// Its media type; Dify asks it where the ending says nothing.
    pub mime_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

#[derive(Deserialize)]
struct Uploaded {
    id: String,
}

impl App {
    /// Hands a file over for `user`, and returns Dify's id of it. It is good in the runs of that user alone. Nothing is
    /// tried twice.
    pub async fn upload(&self, user: &str, file: Upload) -> Result<String, Error> {
        const PATH: &str = "/files/upload";
        let boundary = boundary();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n{user}\r\n--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            quoted(&file.name),
            one_line(&file.mime_type),
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let content = Content {
            kind: format!("multipart/form-data; boundary={boundary}"),
            body: Pieces::from([head.into(), file.bytes, tail.into()]),
        };
        let _slot = self.brief_slot().await?;
        let reply = self.transport().send(self.key(), PATH, content).await?;
        let uploaded: Uploaded = reply.json()?;
        if uploaded.id.is_empty() {
            return Err(Error::NotDify {
                url: self.transport().url(PATH),
                what: "no id in it".to_owned(),
            });
        }
        Ok(uploaded.id)
    }
}

/// Random, so that no file holds it.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("airlock-{:016x}{:016x}", random(), random())
}

/// A file's name between quotes, as browsers write it.
fn quoted(name: &str) -> String {
    one_line(name).replace('"', "%22")
}

fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(quoted("a\"; x=\"\r\nb.txt"), "a%22; x=%22  b.txt");
        assert_ne!(boundary(), boundary());
    }
}
