(ns suite.main
  "Runs scenarios: [--only TEXT] [--quick] [--list] HOST:PORT[,HOST:PORT...]."
  (:require [clojure.string :as string]
            [suite.scenarios :as scenarios]
            [suite.world :as world])
  (:import (java.io PrintWriter StringWriter)))

(def scenario-ms 120000)

(defn- reason [^Throwable problem]
  (let [text (StringWriter.)]
    (.printStackTrace (or (.getCause problem) problem) (PrintWriter. text))
    (string/replace (string/trim (str text)) "\n" "\n    ")))

(defn- run-one
  "Runs a scenario and prints its line; whether it did not fail."
  [servers quick [name scenario]]
  (let [done (future (let [made (world/make servers name quick)]
                       (try (scenario made)
                            (finally (world/close made)))
                       nil))
        failed (try (deref done scenario-ms "it takes too long")
                    (catch Throwable problem (reason problem)))]
    (println (if failed (str "FAIL " name ": " failed) (str "ok " name)))
    (flush)
    (not failed)))

(defn- options [arguments]
  (loop [[word & more] arguments found {:only ""}]
    (case word
      nil found
      "--only" (recur (rest more) (assoc found :only (first more)))
      "--quick" (recur more (assoc found :quick true))
      "--list" (recur more (assoc found :list true))
      (recur more (assoc found :servers word)))))

(defn -main [& arguments]
  (if (= "--hold" (first arguments))
    (apply scenarios/hold (rest arguments))
    (let [{:keys [only quick list servers]} (options arguments)
          chosen (filter #(string/includes? (first %) only) scenarios/all)]
      (if list
        (run! println (map first chosen))
        (let [results (mapv #(run-one servers quick %) chosen)]
          ;; Threads of clients that were cut off may linger.
          (System/exit (if (every? true? results) 0 1)))))))
