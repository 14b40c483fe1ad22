-- Sends the bodies of a file, a line each, in turn; tells wrk's numbers as they are (its own table rounds them).
local bodies, place = {}, 0

function init()
  wrk.headers["Content-Type"] = "application/json"
  for name, value in string.gmatch(os.getenv("BENCHMARK_HEADERS"), "([^\n:]+): ([^\n]+)") do
    wrk.headers[name] = value
  end
  for body in io.lines(os.getenv("BENCHMARK_BODIES")) do
    bodies[#bodies + 1] = wrk.format("POST", nil, nil, body)
  end
end

function request()
  place = place % #bodies + 1
  return bodies[place]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\nJSON{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"bad":%d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
