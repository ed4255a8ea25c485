//! A workflow's outputs, within the bound of an answer.

use serde_json::{Map, Value};

/// What of a workflow's outputs fits `room` bytes of JSON, and whether that is less than all: a text is cut, and what
/// cannot be cut is left out.
pub(crate) fn within(mut outputs: Map<String, Value>, room: usize) -> (Map<String, Value>, bool) {
    let (mut left, mut cut) = (room, false);
    outputs.retain(|_, value| {
        let size = size(value);
        if size <= left {
            left -= size;
            return true;
        }
        cut = true;
        let Value::String(text) = value else {
            return false;
        };
        // A byte of text is up to six of JSON; cut by what it takes on the whole.
        let share = text.len() * left / size;
        text.truncate(text.floor_char_boundary(share));
        left = 0;
        !text.is_empty()
    });
    (outputs, cut)
}

/// Bytes of a value as JSON.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("a JSON value serialises");
    count.0
}
