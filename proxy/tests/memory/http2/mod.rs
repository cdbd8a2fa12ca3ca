//! HTTP/2, to clients and to peers.

mod bounds;
mod clients;
mod connections;
mod dials;
mod floods;
mod goodbyes;
mod heads;
mod pieces;
mod uploads;
mod upstream;
