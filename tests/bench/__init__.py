"""Speed, as ratios beside peers in the same run; never a timed test. `make bench` writes var/bench/."""
