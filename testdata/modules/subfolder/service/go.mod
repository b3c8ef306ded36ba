module example.com/subfolder/service

go 1.26
