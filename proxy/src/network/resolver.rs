//! Asking the name servers of the system, without a thread that blocks.

use super::{Resolved, ServiceRecords, ServiceTarget};
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Asks the name servers of the system.
pub(crate) struct Resolver(TokioResolver);

impl Resolver {
    /// Reads how the system is set up; none if that is nowhere to be read: then the system itself
    /// has to be asked.
    pub(crate) fn new() -> Option<Self> {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            // What is looked up here is kept by whoever asks.
            builder.options_mut().cache_size = CACHE;
            builder.build()
        });
        built
            .inspect_err(|error| tracing::warn!(%error, "name_servers_unknown"))
            .ok()
            .map(Self)
    }

    /// The addresses of a name.
    ///
    /// # Errors
    /// There are none, or no name server answers.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> io::Result<Resolved> {
        let found = self.0.lookup_ip(host).await.map_err(io::Error::other)?;
        let ttl = left(found.valid_until());
        let addresses = found.iter().map(|ip| SocketAddr::new(ip, port)).collect();
        Ok(Resolved { addresses, ttl })
    }

    /// The targets of a service.
    ///
    /// # Errors
    /// There is none, or no name server answers.
    pub(crate) async fn resolve_service(&self, name: &str) -> io::Result<ServiceRecords> {
        let found = self.0.srv_lookup(name).await.map_err(io::Error::other)?;
        let targets = found.answers().iter().filter_map(|record| {
            // There may be aliases besides.
            let RData::SRV(record) = &record.data else {
                return None;
            };
            Some(ServiceTarget {
                priority: record.priority,
                weight: record.weight,
                host: record.target.to_ascii(),
                port: record.port,
            })
        });
        Ok(ServiceRecords {
            targets: targets.collect(),
            ttl: left(found.valid_until()),
        })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

/// Enough for the steps on the way to an answer; the default allocates 8,192 places.
const CACHE: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use hickory_resolver::proto::op::Message;
    use hickory_resolver::proto::rr::rdata::SRV;
    use hickory_resolver::proto::rr::{Name, Record};
    use std::net::Ipv4Addr;
    use tokio::net::UdpSocket;

    /// Asks a name server that has these records for whatever it is asked.
    async fn resolver(records: &[(u16, u16, u16, &str)]) -> Resolver {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let provider = TokioRuntimeProvider::default();
        let built = TokioResolver::builder_with_config(config, provider).build();
        let records: Vec<_> = records
            .iter()
            .map(|(priority, weight, port, target)| {
                SRV::new(*priority, *weight, *port, Name::from_ascii(target).unwrap())
            })
            .collect();
        tokio::spawn(async move {
            let mut datagram = [0; 512];
            while let Ok((length, asker)) = socket.recv_from(&mut datagram).await {
                let asked = Message::from_vec(&datagram[..length]).unwrap();
                let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
                let name = asked.queries[0].name().clone();
                answer.queries = asked.queries;
                for record in &records {
                    let data = RData::SRV(record.clone());
                    answer.add_answer(Record::from_rdata(name.clone(), 90, data));
                }
                let bytes = answer.to_vec().unwrap();
                socket.send_to(&bytes, asker).await.unwrap();
            }
        });
        Resolver(built.unwrap())
    }

    #[tokio::test]
    async fn the_records_of_a_service_are_read_as_they_are() {
        let records = [(10, 60, 9001, "a.example."), (20, 0, 9002, "b.example.")];
        let found = resolver(&records).await;
        let found = found.resolve_service("_mcp._tcp.example.").await.unwrap();
        let target = |record: &ServiceTarget| {
            let ServiceTarget {
                priority,
                weight,
                host,
                port,
            } = record.clone();
            (priority, weight, port, host)
        };
        let targets: Vec<_> = found.targets.iter().map(target).collect();
        let expected = records.map(|(a, b, c, host)| (a, b, c, host.to_owned()));
        assert_eq!(targets, expected);
        assert!(found.ttl.as_secs() >= 60, "{:?}", found.ttl);
        let none = resolver(&[(0, 0, 0, ".")]).await;
        let none = none.resolve_service("_mcp._tcp.example.").await.unwrap();
        assert_eq!(none.targets[0].host, ".");
        let empty = resolver(&[]).await;
        assert!(empty.resolve_service("_mcp._tcp.example.").await.is_err());
    }
}
