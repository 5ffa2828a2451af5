//! The parameters of a method, taken one by one. What is left over in the end is refused by name, never ignored.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libp2p::{Multiaddr, PeerId};
use serde_json::{Map, Value};

use crate::channel::{Failure, bad_param};

pub struct Params(pub Map<String, Value>);

/// Bytes on the way to the other side: unpadded base64url.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Params {
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad_param(name, "expected a text")),
        }
    }

    pub fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        match self.0.remove(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(bad_param(name, "expected true or false")),
        }
    }

    /// A number that is not negative; 0 is as good as absent.
    pub fn count(&mut self, name: &str) -> Result<u64, Failure> {
        match self.0.remove(name) {
            None => Ok(0),
            Some(value) => {
                value.as_u64().ok_or_else(|| bad_param(name, format!("{value}: expected a number that is not negative")))
            }
        }
    }

    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Failure> {
        let wrong = || bad_param(name, "expected a list of texts");
        match self.0.remove(name) {
            None => Ok(None),
            Some(Value::Array(all)) => {
                all.into_iter().map(|v| v.as_str().map(String::from).ok_or_else(wrong)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong()),
        }
    }

    /// An object within; empty when it is absent.
    pub fn object(&mut self, name: &str) -> Result<Params, Failure> {
        match self.0.remove(name) {
            None => Ok(Params(Map::new())),
            Some(Value::Object(map)) => Ok(Params(map)),
            Some(_) => Err(bad_param(name, "expected an object")),
        }
    }

    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>, Failure> {
        let text = self.text(name)?.ok_or_else(|| bad_param(name, "expected unpadded base64url"))?;
        URL_SAFE_NO_PAD.decode(text).map_err(|e| bad_param(name, format!("{e}: expected unpadded base64url")))
    }

    /// A provider's key is a multihash.
    pub fn multihash(&mut self, name: &str) -> Result<Vec<u8>, Failure> {
        let key = self.bytes(name)?;
        match libp2p::multihash::Multihash::<128>::from_bytes(&key) {
            Ok(_) => Ok(key),
            Err(e) => Err(bad_param(name, format!("expected a multihash: {e}"))),
        }
    }

    pub fn peer(&mut self, name: &str) -> Result<PeerId, Failure> {
        self.text(name)?.unwrap_or_default().parse().map_err(|e| bad_param(name, e))
    }

    pub fn addr(&mut self, name: &str) -> Result<Multiaddr, Failure> {
        let text = self.text(name)?.ok_or_else(|| bad_param(name, "expected an address"))?;
        text.parse().map_err(|e| bad_param(name, e))
    }

    /// Refuses what nobody took; within is the name of the object that holds it, with a dot.
    pub fn end(self, within: &str) -> Result<(), Failure> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(bad_param(&format!("{within}{name}"), "not honoured")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn params(value: Value) -> Params {
        Params(value.as_object().unwrap().clone())
    }

    fn param(failure: Failure) -> String {
        failure.data["param"].as_str().unwrap().into()
    }

    #[test]
    fn what_is_not_as_it_should_be_is_refused_by_name() {
        let bad = json!({"text": 1, "flag": "yes", "count": -1, "texts": ["a", 1], "object": [], "bytes": "AQI=", "hash": "AQI", "peer": "x"});
        assert_eq!(param(params(bad.clone()).text("text").unwrap_err()), "text");
        assert_eq!(param(params(bad.clone()).flag("flag").unwrap_err()), "flag");
        assert_eq!(param(params(bad.clone()).count("count").unwrap_err()), "count");
        assert_eq!(param(params(bad.clone()).texts("texts").unwrap_err()), "texts");
        assert_eq!(param(params(bad.clone()).object("object").err().unwrap()), "object");
        assert_eq!(param(params(bad.clone()).bytes("bytes").unwrap_err()), "bytes");
        assert_eq!(param(params(bad.clone()).multihash("hash").unwrap_err()), "hash");
        assert_eq!(param(params(bad.clone()).peer("peer").unwrap_err()), "peer");
        assert_eq!(param(params(bad).addr("addr").unwrap_err()), "addr");
        assert_eq!(param(params(json!({})).bytes("key").unwrap_err()), "key");
    }

    #[test]
    fn what_nobody_took_is_refused() {
        let mut p = params(json!({"key": "AQI", "colour": "red"}));
        assert_eq!(p.bytes("key").unwrap(), [1, 2]);
        assert_eq!(param(p.end("expiry.").unwrap_err()), "expiry.colour");
        assert!(params(json!({})).end("").is_ok());
    }
}
