package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what /metrics shows, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	inFlight prometheus.Gauge
	duration *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
}

// NewMetrics registers the service's metrics, Go's and the process's.
func NewMetrics() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	auto := promauto.With(registry)
	return &Metrics{
		registry: registry,
		inFlight: auto.NewGauge(prometheus.GaugeOpts{
			Name: "http_requests_in_flight",
			Help: "Requests being answered.",
		}),
		duration: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "http_request_duration_seconds",
			Help:    "Time to answer a request.",
			Buckets: prometheus.DefBuckets,
		}, []string{"route", "method", "status"}),
		bytes: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "sample_processed_bytes_total",
			Help: "Bytes of bodies fetched and uploaded.",
		}, []string{"kind"}),
	}
}

// Begin counts a request in, and the returned function counts it out. The
// route is its pattern, never its path, so that the labels stay few.
func (m *Metrics) Begin() (end func(route, method string, status int, took time.Duration)) {
	m.inFlight.Inc()
	return func(route, method string, status int, took time.Duration) {
		m.inFlight.Dec()
		m.duration.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
	}
}

// Processed counts n bytes of the kind "fetch" or "upload".
func (m *Metrics) Processed(kind string, n int64) {
	m.bytes.WithLabelValues(kind).Add(float64(n))
}

// Handler serves the metrics. It leaves compression to the server.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		Registry:           m.registry,
		DisableCompression: true,
	})
}
