module example.com/workspace/service

go 1.26

require example.com/workspace/lib v0.0.0
