"""What interop/bench is made of: cases, peers, rounds, and the report."""
