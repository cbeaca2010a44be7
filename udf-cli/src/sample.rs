//! Sample points and batches as Kapacitor sends them: 3 tags, 5 floats and an integer, grouped by 2
//! tags. Such a point of a stream takes 262 bytes on the wire, including its length.

use std::collections::BTreeMap;

use udf_proto::messages::request::Message;
use udf_proto::messages::{self, BeginBatch, EndBatch};
use udf_proto::{Init, Value};

/// The time of the first point, in nanoseconds since the epoch. Each further point is [`STEP`]
/// later.
pub const START: i64 = 1_738_000_000_000_000_000;
/// The time between two points, in nanoseconds.
pub const STEP: i64 = 1_000_000_000;
/// The default number of groups.
pub const GROUPS: usize = 8;

/// The default float fields of a point, unless the options of the UDF name other fields.
const FIELDS: [&str; 5] =
    ["usage_user", "usage_system", "usage_idle", "usage_iowait", "usage_softirq"];

/// The shape of the sample points for a UDF.
#[derive(Debug, Clone)]
pub struct Sample {
    fields: Vec<String>,
    groups: usize,
}

impl Sample {
    /// Creates sample points for a UDF with these options. Text values among the options may be
    /// field names, so each point has floats of these names.
    pub fn of(init: &Init) -> Self {
        let values = init.options.iter().flat_map(|call| &call.values);
        let texts = values.filter_map(|value| match value {
            Value::String(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        });
        // The fields of the options replace default fields, so that points keep about the same
        // size.
        let mut fields: Vec<String> = Vec::new();
        for (asked, name) in texts.map(|name| (true, name)).chain(FIELDS.map(|name| (false, name)))
        {
            let wanted = asked || fields.len() < FIELDS.len();
            if wanted && !fields.iter().any(|field| field == name) {
                fields.push(name.to_owned());
            }
        }
        Sample { fields, groups: GROUPS }
    }

    /// Sets the number of groups.
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups.max(1);
        self
    }

    /// Sets the number of floats per point. The fields that the options name come first.
    pub fn fields(mut self, fields: usize) -> Self {
        self.fields.truncate(fields);
        self.fields.extend((self.fields.len()..fields).map(|number| format!("field_{number:03}")));
        self
    }

    /// Returns the number of groups.
    pub fn group_count(&self) -> usize {
        self.groups
    }

    /// Returns point `number` of a stream.
    pub fn point(&self, number: usize) -> messages::Point {
        let (host, cpu) = (format!("host{:02}", number % self.groups), "cpu0");
        messages::Point {
            time: START + number as i64 * STEP,
            name: "cpu".to_owned(),
            database: "telegraf".to_owned(),
            retention_policy: "autogen".to_owned(),
            group: format!("cpu={cpu},host={host}"),
            dimensions: vec!["cpu".to_owned(), "host".to_owned()],
            ..self.bare_point(number, &host)
        }
    }

    /// Returns a point within a batch. Such a point has only a time, a group, tags and fields.
    fn bare_point(&self, number: usize, host: &str) -> messages::Point {
        let tags = [("cpu", "cpu0"), ("host", host), ("region", "eu-west-1a")];
        let fields = self.fields.iter().zip(1..).map(|(name, place)| {
            // A different wave for each field, with an occasional peak.
            let peak = if number % 97 == 96 { 40.0 } else { 0.0 };
            (
                name.clone(),
                peak + 10.0 * f64::from(place) + ((number * place as usize) % 60) as f64 / 8.0,
            )
        });
        messages::Point {
            time: START + number as i64 * STEP,
            group: format!("cpu=cpu0,host={host}"),
            tags: owned(&tags),
            fields_double: fields.collect(),
            fields_int: BTreeMap::from([("processes".to_owned(), 300 + (number % 700) as i64)]),
            ..messages::Point::default()
        }
    }

    /// Returns batch `number` with this many points. The number also selects the group.
    pub fn batch(&self, number: usize, points: usize) -> Vec<Message> {
        let host = format!("host{:02}", number % self.groups);
        let tags = owned(&[("cpu", "cpu0"), ("host", &host)]);
        let group = format!("cpu=cpu0,host={host}");
        let first = number * points;
        let mut messages = Vec::with_capacity(points + 2);
        messages.push(Message::Begin(BeginBatch {
            name: "cpu".to_owned(),
            group: group.clone(),
            tags: tags.clone(),
            size: points as i64,
            by_name: false,
        }));
        messages.extend(
            (first..first + points).map(|number| Message::Point(self.bare_point(number, &host))),
        );
        messages.push(Message::End(EndBatch {
            name: "cpu".to_owned(),
            group,
            tmax: START + (first + points) as i64 * STEP,
            tags,
            by_name: false,
        }));
        messages
    }
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use udf_proto::OptionCall;
    use udf_proto::frame::append;
    use udf_proto::messages::Request;

    use super::*;

    #[test]
    fn a_point_takes_262_bytes_on_the_wire() {
        let sample = Sample::of(&Init::default());
        let mut out = Vec::new();
        append(&Request { message: Some(Message::Point(sample.point(5))) }, &mut out);
        assert_eq!(out.len(), 262);
    }

    #[test]
    fn texts_among_the_options_are_fields() {
        let values = vec![Value::from("temperature"), Value::Int(3), Value::from("usage_idle")];
        let call = OptionCall { name: "field".to_owned(), values };
        let sample = Sample::of(&Init { options: vec![call], ..Init::default() });
        let point = sample.point(0);
        assert!(point.fields_double.contains_key("temperature"));
        assert_eq!(point.fields_double.len(), 5, "{:?}", point.fields_double);
    }
}
