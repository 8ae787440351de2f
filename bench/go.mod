module github.com/scopegate/scopegate/bench

go 1.26.0
