//! One metric with all its samples.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use proxy::metrics::Durations;

/// The labels of a sample.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes numbers that only grow. The format adds `_total` to the name.
pub(super) fn counters<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    samples: impl IntoIterator<Item = (Labels<'a>, u64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in samples {
        let mut sample = metric.encode_family(&labels)?;
        sample.encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
    }
    Ok(())
}

/// Writes numbers that go up and down.
pub(super) fn gauges<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Writes a number that only grows and has no labels.
pub(super) fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    value: u64,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    metric.encode_counter::<NoLabelSet, u64, f64>(&value, None)
}

/// Writes a number that goes up and down and has no labels.
pub(super) fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    value: f64,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    metric.encode_gauge(&value)
}

/// Writes durations, in seconds.
pub(super) fn durations<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    samples: impl IntoIterator<Item = (Labels<'a>, &'a Durations)>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, durations) in samples {
        let counts = durations.buckets();
        // The last bucket has no bound.
        let bounds = durations.bounds().iter().map(|bound| seconds(*bound));
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(counts.iter().copied()).collect();
        let (sum, count) = (seconds(durations.sum_micros()), counts.iter().sum());
        let mut sample = metric.encode_family(&labels)?;
        sample.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
    }
    Ok(())
}

/// Counts are exact up to 2^53, which is more than will ever be in flight.
#[expect(
    clippy::cast_precision_loss,
    reason = "a count in flight is far below 2^53"
)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// 1 for yes.
pub(super) fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
