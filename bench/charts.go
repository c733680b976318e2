package main
func drawCharts(dir string, records []*record) (map[string][]string, error) { return nil, nil }
