//! From the trimmed JSON to a [`Model`].
//!
//! The data is part of this crate, so what is wrong with it is a bug and stops the process;
//! the tests load every model.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::deviations;
use super::model::{
    Bound, Kind, Limits, Member, Model, Operation, Pattern, Protocol, Shape, ShapeId, Structure,
};
use super::service::Service;
use super::text;

/// The model of `service` as its data says, and then as the service really behaves.
pub(super) fn model(service: Service, data: &'static str) -> Model {
    let data: Data<'static> = serde_json::from_str(data).expect("the data files are well-formed");
    let names: Vec<&str> = data.shapes.0.iter().map(|(name, _)| *name).collect();
    let resolver = Resolver(&names);
    let shapes = data.shapes.0.iter().map(|(name, shape)| resolver.shape(name, shape)).collect();
    let operations = data
        .operations
        .0
        .iter()
        .map(|(name, operation)| resolver.operation(service, name, operation))
        .collect();
    let protocol = match data.service.protocol {
        "json" => {
            Protocol::Json { version: data.service.json_version.expect("a JSON service names its version") }
        }
        "query" => Protocol::Query,
        other => panic!("unknown protocol {other}"),
    };
    let mut model = Model {
        service,
        service_id: data.service.service_id,
        api_version: data.service.api_version,
        protocol,
        target_prefix: data.service.target_prefix,
        xml_namespace: data.service.xml_namespace,
        operations,
        shapes,
    };
    deviations::apply(&mut model);
    model
}

/// Turns names of shapes into indices.
struct Resolver<'a>(&'a [&'static str]);

impl Resolver<'_> {
    fn id(&self, name: &str) -> ShapeId {
        let index = self.0.binary_search(&name).expect("shapes are sorted and references resolve");
        ShapeId(u16::try_from(index).expect("a model has fewer than 65,536 shapes"))
    }

    fn operation(&self, service: Service, name: &'static str, data: &OperationData<'static>) -> Operation {
        Operation {
            service,
            name,
            input: data.input.map(|name| self.id(name)),
            output: data.output.map(|name| self.id(name)),
            result_wrapper: data.result_wrapper,
            errors: data.errors.iter().map(|name| self.id(name)).collect(),
            idempotent: data.idempotent,
            own_checks: Vec::new(),
        }
    }

    fn shape(&self, name: &'static str, data: &ShapeData<'static>) -> Shape {
        let kind = match data.kind {
            "structure" if name == "AttributeValue" => Kind::AttributeValue,
            "structure" => Kind::Structure(self.structure(data)),
            "list" => Kind::List(self.id(data.member.as_ref().expect("a list has members").shape)),
            "map" => Kind::Map {
                key: self.id(data.key.as_ref().expect("a map has keys").shape),
                value: self.id(data.value.as_ref().expect("a map has values").shape),
            },
            "string" => Kind::String,
            "blob" => Kind::Blob,
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "timestamp" => Kind::Timestamp,
            other => panic!("unknown type {other} of {name}"),
        };
        Shape {
            name,
            kind,
            limits: Limits {
                min: data.min.as_ref().map(bound),
                max: data.max.as_ref().map(bound),
                pattern: data.pattern.clone().map(Pattern::new),
                values: data.values.clone(),
                ..Limits::default()
            },
            sensitive: data.sensitive,
            error: data.status.map(|status| (status, data.code.unwrap_or(name))),
        }
    }

    fn structure(&self, data: &ShapeData<'static>) -> Structure {
        let mut members: Vec<Member> = data
            .members
            .0
            .iter()
            .map(|(name, reference)| Member {
                name,
                shape: self.id(reference.shape),
                required: data.required.contains(name),
                required_unless: None,
                location_name: reference.location_name,
                idempotency_token: reference.idempotency_token,
            })
            .collect();
        let published: Vec<&str> = members.iter().map(|member| member.name).collect();
        members.sort_unstable_by_key(|member| member.name);
        let mut structure = Structure {
            members,
            required: 0,
            published_order: Vec::new(),
            report_order: Vec::new(),
            hidden_member: None,
            hashed: None,
        };
        structure.published_order = published.iter().map(|name| structure.index(name)).collect();
        structure.report_order =
            text::report_order(&published).iter().map(|name| structure.index(name)).collect();
        structure.note_required();
        structure
    }
}

impl Structure {
    fn index(&self, name: &str) -> u8 {
        let position = self.position(name).expect("the structure has this member");
        u8::try_from(position).expect("a structure has at most 64 members")
    }

    /// Brings `required` in line with the members.
    pub(super) fn note_required(&mut self) {
        assert!(self.members.len() <= 64, "a set of members is one word");
        self.required = 0;
        for (index, member) in self.members.iter().enumerate() {
            self.required |= u64::from(member.required) << index;
        }
    }
}

fn bound(number: &serde_json::Number) -> Bound {
    match number.as_i64() {
        Some(whole) => Bound::Whole(whole),
        None => Bound::Decimal(number.as_f64().expect("a bound is a number")),
    }
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    service: ServiceData<'a>,
    operations: Pairs<'a, OperationData<'a>>,
    shapes: Pairs<'a, ShapeData<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServiceData<'a> {
    service_id: &'a str,
    api_version: &'a str,
    protocol: &'a str,
    json_version: Option<&'a str>,
    target_prefix: Option<&'a str>,
    xml_namespace: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OperationData<'a> {
    input: Option<&'a str>,
    output: Option<&'a str>,
    result_wrapper: Option<&'a str>,
    #[serde(borrow, default)]
    errors: Vec<&'a str>,
    #[serde(default)]
    idempotent: bool,
}

#[derive(Deserialize)]
struct ShapeData<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    min: Option<serde_json::Number>,
    max: Option<serde_json::Number>,
    #[serde(borrow)]
    pattern: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "enum")]
    values: Vec<&'a str>,
    #[serde(default)]
    sensitive: bool,
    #[serde(borrow, default)]
    members: Pairs<'a, Reference<'a>>,
    #[serde(borrow, default)]
    required: Vec<&'a str>,
    #[serde(borrow)]
    member: Option<Reference<'a>>,
    #[serde(borrow)]
    key: Option<Reference<'a>>,
    #[serde(borrow)]
    value: Option<Reference<'a>>,
    status: Option<u16>,
    code: Option<&'a str>,
}

/// The shape of a member: its name alone, or an object when there is more to say.
struct Reference<'a> {
    shape: &'a str,
    location_name: Option<&'a str>,
    idempotency_token: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Reference<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Full<'a> {
            shape: &'a str,
            location_name: Option<&'a str>,
            #[serde(default)]
            idempotency_token: bool,
        }

        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Reference<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a shape, or an object with it")
            }

            fn visit_borrowed_str<E>(self, shape: &'de str) -> Result<Self::Value, E> {
                Ok(Reference { shape, location_name: None, idempotency_token: false })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let full = Full::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Reference {
                    shape: full.shape,
                    location_name: full.location_name,
                    idempotency_token: full.idempotency_token,
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A JSON object in the order of its text.
struct Pairs<'a, V>(Vec<(&'a str, V)>);

impl<V> Default for Pairs<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
            type Value = Vec<(&'de str, V)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData)).map(Self)
    }
}
