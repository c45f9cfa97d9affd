mod cluster;
#[cfg(test)]
mod entropy;
#[cfg(test)]
mod host;
#[cfg(test)]
mod time;

fn main() {}
