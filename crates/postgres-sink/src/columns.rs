//! Rows as arrays, one for each column, as the driver sends them. Pure.

use apache_avro::types::Value;
use pipeline::{Column, ColumnType};
use sink::{Row, text};
use sqlx::{
    Arguments, Encode, Postgres, Type,
    error::BoxDynError,
    postgres::PgArguments,
    types::chrono::{DateTime, NaiveDate, NaiveTime, Utc},
};

/// The type in which a column's values travel: its own, where the driver knows it as the record has it.
pub fn travels_as(column: &Column) -> &'static str {
    match column.kind {
        ColumnType::Decimal { .. } | ColumnType::Nested => "text",
        _ => crate::ddl::sql_type(column),
    }
}

/// Adds a column's values. The error is that of the first one that PostgreSQL has no value for.
pub fn add(
    arguments: &mut PgArguments,
    column: &Column,
    index: usize,
    rows: &[&Row],
) -> Result<(), BoxDynError> {
    let mut to = Adding { arguments, column, index, rows };
    match column.kind {
        ColumnType::Boolean => {
            to.all(|value| if let Value::Boolean(flag) = value { Some(*flag) } else { None })
        }
        ColumnType::Int => to.all(|value| if let Value::Int(n) = value { Some(*n) } else { None }),
        ColumnType::Long => to.all(|value| if let Value::Long(n) = value { Some(*n) } else { None }),
        ColumnType::Float => to.all(|value| if let Value::Float(n) = value { Some(*n) } else { None }),
        ColumnType::Double => to.all(|value| if let Value::Double(n) = value { Some(*n) } else { None }),
        ColumnType::Uuid => to.all(|value| if let Value::Uuid(uuid) = value { Some(*uuid) } else { None }),
        ColumnType::Bytes => to.all(bytes),
        ColumnType::Date => to.all(date),
        ColumnType::TimeMillis | ColumnType::TimeMicros => to.all(time),
        ColumnType::TimestampMillis | ColumnType::TimestampMicros => to.all(instant),
        ColumnType::Decimal { scale } => {
            to.all(|value| if let Value::Decimal(n) = value { sink::decimal(n, scale) } else { None })
        }
        ColumnType::Text | ColumnType::Nested => to.all(|value| Some(text(value))),
    }
}

struct Adding<'a, 'r> {
    arguments: &'a mut PgArguments,
    column: &'a Column,
    index: usize,
    rows: &'a [&'r Row],
}

impl<'r> Adding<'_, 'r> {
    fn all<T>(&mut self, typed: impl Fn(&'r Value) -> Option<T>) -> Result<(), BoxDynError>
    where
        Vec<Option<T>>: Encode<'r, Postgres> + Type<Postgres>,
    {
        let unfit = |value: &Value| {
            format!("column \"{}\" is {:?}, the record has {value:?}", self.column.name, self.column.kind)
        };
        let cell = |row: &&'r Row| match &row.values[self.index] {
            Some(value) => typed(value).map(Some).ok_or_else(|| unfit(value)),
            None => Ok(None),
        };
        let cells = self.rows.iter().map(cell).collect::<Result<Vec<Option<T>>, String>>()?;
        self.arguments.add(cells)
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => Some(bytes),
        _ => None,
    }
}

fn date(value: &Value) -> Option<NaiveDate> {
    match value {
        Value::Date(days) => NaiveDate::from_epoch_days(*days),
        _ => None,
    }
}

fn time(value: &Value) -> Option<NaiveTime> {
    let micros = match value {
        Value::TimeMillis(n) => i64::from(*n) * 1_000,
        Value::TimeMicros(n) => *n,
        _ => return None,
    };
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).ok()?;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, micros.rem_euclid(1_000_000) as u32 * 1_000)
}

fn instant(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::TimestampMillis(n) => DateTime::from_timestamp_millis(*n),
        Value::TimestampMicros(n) => DateTime::from_timestamp_micros(*n),
        _ => None,
    }
}
