//! A JSON object that is written member by member.
//!
//! A document in memory takes many times the room of its text: an item of 400 KB may take a hundred megabytes. So what
//! holds items is written as it is made.

use serde_json::Value;

/// An object that is being written.
pub struct ObjectWriter(Vec<u8>);

impl Default for ObjectWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ObjectWriter {
    /// An object without members.
    pub fn new() -> Self {
        Self(vec![b'{'])
    }

    /// Begins a member. The caller appends its value, as JSON, to what is returned, and names no member twice.
    pub fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        strongroom_model::json::write_string(name, &mut self.0);
        self.0.push(b':');
        &mut self.0
    }

    /// Writes a small member.
    pub fn value(&mut self, name: &str, value: &Value) {
        let text = value.to_string();
        self.member(name).extend_from_slice(text.as_bytes());
    }

    /// Writes a member whose JSON was made before.
    pub fn json(&mut self, name: &str, json: &[u8]) {
        self.member(name).extend_from_slice(json);
    }

    /// The object's JSON.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_parted_and_their_names_escaped() {
        assert_eq!(ObjectWriter::new().finish(), b"{}");
        let mut object = ObjectWriter::new();
        object.value("a\"b", &json!([1]));
        object.json("c", b"{}");
        object.member("d").extend_from_slice(b"null");
        assert_eq!(object.finish(), br#"{"a\"b":[1],"c":{},"d":null}"#);
    }
}
