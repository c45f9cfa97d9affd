mod cluster;
fn main(){}
