(ns suite.scenarios
  "The scenarios that every client has, and the tutorial's programs at work."
  (:require [suite.tutorial :as tutorial]
            [suite.world :refer :all])
  (:import (java.util List)
           (java.util.concurrent TimeUnit)
           (org.apache.zookeeper AddWatchMode AsyncCallback$StringCallback CreateMode Op
                                 Watcher Watcher$Event$KeeperState ZooDefs$Ids ZooKeeper)
           (org.apache.zookeeper.data Stat)))

(defn connects [world]
  (let [zk (client world)]
    (create zk "/e" "" CreateMode/EPHEMERAL)
    (check (= ["e"] (children zk "/")))
    (.close zk)
    (check (= [] (children (client world) "/")) "its ephemeral is still there")))

(defn create-modes [world]
  (let [zk (client world)]
    (create zk "/p" "p")
    (check (= "/s-0000000001" (create zk "/s-" "" CreateMode/PERSISTENT_SEQUENTIAL)))
    (create zk "/e" "" CreateMode/EPHEMERAL)
    (check (= (.getSessionId zk) (.getEphemeralOwner (stat zk "/e"))))
    (check (= "/s-0000000003" (create zk "/s-" "" CreateMode/EPHEMERAL_SEQUENTIAL)))
    (create zk "/c" "" CreateMode/CONTAINER)
    (create zk "/c/child")
    (.delete zk "/c/child" -1)
    (.create zk "/t" (text "") ZooDefs$Ids/OPEN_ACL_UNSAFE CreateMode/PERSISTENT_WITH_TTL (Stat.) 100)
    (eventually "the ends of container and TTL znode"
                #(not (or (stat zk "/c") (stat zk "/t"))))))

(defn read-write [world]
  (let [zk (client world)]
    (create zk "/n" "0")
    (let [changed (set-data zk "/n" "1" 0)]
      (check (= 1 (.getVersion changed)))
      (check (= changed (stat zk "/n")))
      (check (= "1" (data-of zk "/n"))))
    (fails "BADVERSION" (set-data zk "/n" "2" 0))
    (fails "BADVERSION" (.delete zk "/n" 0))
    (fails "NODEEXISTS" (create zk "/n"))
    (fails "NONODE" (data-of zk "/none"))
    (create zk "/n/child")
    (fails "NOTEMPTY" (.delete zk "/n" -1))))

(defn lists [world]
  (let [zk (client world) found (Stat.)]
    (doseq [name ["c" "a" "b"]] (create zk (str "/" name)))
    (check (= ["a" "b" "c"] (sort (.getChildren zk "/" false found))))
    (check (= [3 3] [(.getNumChildren found) (.getCversion found)]))))

(defn acl-auth [world]
  (let [[owner other] [(client world) (client world)]]
    (.addAuthInfo owner "digest" (text "me:secret"))
    (.create owner "/mine" (text "x") ZooDefs$Ids/CREATOR_ALL_ACL CreateMode/PERSISTENT)
    (fails "NOAUTH" (data-of other "/mine"))
    (check (= "digest" (.. owner (getACL "/mine" nil) (get 0) getId getScheme)))
    (check (= 1 (.getAversion (.setACL owner "/mine" ZooDefs$Ids/READ_ACL_UNSAFE 0))))
    (check (= "x" (data-of other "/mine")))
    (fails "NOAUTH" (set-data other "/mine" "y"))))

(defn multi [world]
  (let [zk (client world)
        open ZooDefs$Ids/OPEN_ACL_UNSAFE
        made #(Op/create ^String % (text "") ^List open CreateMode/PERSISTENT)]
    (create zk "/a" "0")
    (check (= 3 (count (.multi zk [(made "/b") (Op/setData "/a" (text "1") 0) (Op/check "/a" 1)]))))
    (fails "BADVERSION" (.multi zk [(made "/c") (Op/check "/a" 7)]))
    (check (= ["a" "b"] (children zk "/")))))

(defn watch-once [world]
  (let [zk (client world) [watcher queue] (events)]
    (create zk "/n")
    (.getData zk "/n" ^Watcher watcher nil)
    (.getChildren zk "/n" ^Watcher watcher)
    (.exists zk "/later" ^Watcher watcher)
    (set-data zk "/n" "1")
    (check (= ["NodeDataChanged" "/n"] (next-event queue)))
    (create zk "/later")
    (check (= ["NodeCreated" "/later"] (next-event queue)))
    (create zk "/n/child")
    (check (= ["NodeChildrenChanged" "/n"] (next-event queue)))
    (set-data zk "/n" "2")
    (check (nil? (.poll queue)) "it fired twice")))

(defn- watch-on [world mode below]
  (let [zk (client world) [watcher queue] (events)]
    (create zk "/n")
    (.addWatch zk "/n" ^Watcher watcher ^AddWatchMode mode)
    (dotimes [_ 3]
      (set-data zk "/n" "x")
      (check (= ["NodeDataChanged" "/n"] (next-event queue)))
      (create zk "/n/child")
      (check (= (below "NodeCreated") (next-event queue)))
      (.delete zk "/n/child" -1)
      (check (= (below "NodeDeleted") (next-event queue))))))

(defn watch-persistent [world]
  (watch-on world AddWatchMode/PERSISTENT (fn [_] ["NodeChildrenChanged" "/n"])))

(defn watch-recursive [world]
  (watch-on world AddWatchMode/PERSISTENT_RECURSIVE (fn [type] [type "/n/child"])))

(defn session-expiry [world]
  (let [[zk queue] (connect world (:server world))
        [watcher twins] (events)]
    (create zk "/e" "" CreateMode/EPHEMERAL)
    ;; Its twin closes it while both believe to have it.
    (let [twin (ZooKeeper. (str (:server world) (:root world)) (int session-ms) ^Watcher watcher
                           (.getSessionId zk) (.getSessionPasswd zk))]
      (await-state twins Watcher$Event$KeeperState/SyncConnected)
      (.close twin))
    (await-state queue Watcher$Event$KeeperState/Expired)
    (fails "SESSIONEXPIRED" (stat zk "/"))
    (check (= [] (children (client world) "/")))))

(defn failover [world]
  (let [[zk] (connect world (:servers world))
        session (.getSessionId zk)
        [watcher queue] (events)]
    (create zk "/e" "" CreateMode/EPHEMERAL)
    (create zk "/n")
    (.getData zk "/n" ^Watcher watcher nil)
    (with-killed (server-of zk)
      (check (= session (.getEphemeralOwner (insist #(stat zk "/e")))))
      (check (= session (.getSessionId zk)))
      (insist #(set-data zk "/n" "after"))
      (check (= ["NodeDataChanged" "/n"] (next-event queue))))))

(defn- name-of [number] (format "write-%06d" number))

(defn leader-killed [world]
  (let [[zk] (connect world (:servers world))
        [acknowledged stop] [(atom 0) (atom false)]
        writer (future (while (not @stop)
                         (insist #(create-once zk (str "/" (name-of @acknowledged))))
                         (swap! acknowledged inc)))
        reach (fn [count]
                (eventually (str count " writes")
                            #(or (>= @acknowledged count) (future-done? writer))))]
    (try
      (reach 50)
      (with-killed (first (control "leader"))
        (reach (+ @acknowledged 50)))
      (finally (reset! stop true)))
    @writer
    (doseq [server (:all world)]
      (let [[reader] (connect world server)]
        (sync! reader "/")
        (check (= (map name-of (range @acknowledged)) (children reader "/")) server "lacks some")))))

(defn chroot [world]
  (let [zk (client world)]
    (create zk "/part")
    (create zk "/part/inner" "x")
    (let [[inside] (connect (update world :root str "/part") (:server world))]
      (check (= "x" (data-of inside "/inner")))
      (check (= "/new" (create inside "/new")))
      (check (stat zk "/part/new")))))

(defn large-values [world]
  (let [zk (client world) large (apply str (repeat 1000000 "x"))]
    (create zk "/n" large)
    (check (= large (data-of zk "/n")))
    (fails "CONNECTIONLOSS" (set-data zk "/n" (apply str (repeat 1048576 "y"))))
    (check (= 0 (.getVersion (stat (client world) "/n"))))))

(defn- many [zk prefix count mode]
  (let [results (repeatedly count promise)]
    (doseq [[number result] (map-indexed vector results)]
      (.create ^ZooKeeper zk (str prefix number) (text "") ZooDefs$Ids/OPEN_ACL_UNSAFE
               ^CreateMode mode
               (reify AsyncCallback$StringCallback
                 (processResult [_ code _ _ _] (deliver result code)))
               nil))
    (doseq [result results] (check (= 0 (deref result patience-ms :late)) "not created"))))

(defn ephemerals-1000 [world]
  (let [[owner other] [(client world) (client world)]]
    (many owner "/e" 1000 CreateMode/EPHEMERAL)
    (check (= 1000 (count (children other "/"))))
    (.close owner)
    (check (= [] (children other "/")))))

(defn unicode [world]
  (let [zk (client world) names ["żółć" "日本語" "with space"]]
    (doseq [name names]
      ;; The Java client itself takes no paths beyond the basic plane.
      (create zk (str "/" name) (str name " 😀"))
      (check (= (str name " 😀") (data-of zk (str "/" name)))))
    (check (= (sort names) (children zk "/")))))

(defn children-10000 [world]
  (let [zk (client world) rounds (if (:quick world) 2 10)]
    (dotimes [round rounds] (many zk (str "/child-" round "-") 1000 CreateMode/PERSISTENT))
    (check (= (* 1000 rounds) (count (children zk "/")) (.getNumChildren (stat zk "/"))))))

(defn hold
  "What another process does: it takes what there is to hold, says so, and waits."
  [connect-string kind]
  (let [[zk] (connect {:root "" :open (atom ())} connect-string 2000)]
    (if (= kind "lock") (tutorial/lock zk "/line") (tutorial/lead zk "/leader" "holder"))
    (println "held")
    (flush)
    (.read System/in)))

(defn- killed-holder [world kind take]
  (let [zk (client world)
        words [(str (System/getProperty "java.home") "/bin/java") "-Xmx96m" "-XX:+UseSerialGC"
               "-XX:TieredStopAtLevel=1" "-cp" (System/getProperty "java.class.path")
               "clojure.main" "-m" "suite.main" "--hold" (str (:server world) (:root world)) kind]
        _ (create zk "/line")
        process (.start (doto (ProcessBuilder. ^List words)
                          (.redirectError java.lang.ProcessBuilder$Redirect/DISCARD)))
        killed (atom false)]
    (try
      (let [said (java.io.BufferedReader. (java.io.InputStreamReader. (.getInputStream process)))]
        (check (= "held" (.readLine said))))
      (let [taken (future (take zk) @killed)]
        ;; Whoever waits is given the time to take it wrongly.
        (check (= :waits (deref taken 500 :waits)) "two hold it")
        (reset! killed true)
        (.waitFor (.destroyForcibly process))
        (check (= true (deref taken patience-ms :late)) "nobody takes it"))
      (finally (.waitFor (.destroyForcibly process) 10 TimeUnit/SECONDS)))))

(defn lock-killed-holder [world]
  (killed-holder world "lock" #(tutorial/lock % "/line")))

(defn election-killed-holder [world]
  (killed-holder world "election" #(tutorial/lead % "/leader" "waiter")))

(defn sync-read [world]
  (let [[writer] (connect world (first (:all world)))
        [reader] (connect world (last (:all world)))]
    (create writer "/n")
    (dotimes [round (if (:quick world) 50 200)]
      (set-data writer "/n" (str round))
      (check (= (str round) (data-of writer "/n")) "its own write is not read")
      (sync! reader "/n")
      (check (= (str round) (data-of reader "/n")) "the other server lags behind a sync"))))

(defn tutorial-leader [world]
  (let [clients (zipmap ["a" "b" "c"] (repeatedly #(client world)))
        leads (atom [])
        candidates (doall (for [[name zk] clients]
                            (future (tutorial/lead zk "/leader" name) (swap! leads conj name))))]
    (doseq [turn (range 1 4)]
      (eventually (str "leader " turn) #(= turn (count @leads)))
      (let [now (last @leads)]
        (check (= now (tutorial/leader (client world) "/leader")))
        (.close ^ZooKeeper (clients now))))
    (run! deref candidates)
    (check (= ["a" "b" "c"] (sort @leads)))))

(defn tutorial-lock [world]
  (let [holders (atom 0)]
    (create (client world) "/line")
    (run! deref
          (doall (for [zk (doall (repeatedly 4 #(client world)))]
                   (future (dotimes [_ 5]
                             (let [place (tutorial/lock zk "/line")]
                               (check (= 1 (swap! holders inc)) "two hold it")
                               (swap! holders dec)
                               (tutorial/unlock zk place)))))))))

(defn tutorial-configuration [world]
  (let [zk (client world)]
    (tutorial/created-once zk "/config" "0")
    (tutorial/created-once zk "/config" "9")
    (check (= "0" (data-of zk "/config")))
    (run! deref
          (doall (for [other (doall (repeatedly 4 #(client world)))]
                   (future (dotimes [_ 10]
                             (tutorial/configure other "/config"
                                                 #(str (inc (Integer/parseInt %)))))))))
    (check (= "40" (data-of zk "/config")))))

(def all
  "Names and scenarios in their order."
  [["connect" connects] ["create_modes" create-modes] ["read_write" read-write] ["children" lists]
   ["acl_auth" acl-auth] ["multi" multi] ["watch_once" watch-once]
   ["watch_persistent" watch-persistent] ["watch_recursive" watch-recursive]
   ["session_expiry" session-expiry] ["failover" failover] ["leader_killed" leader-killed]
   ["chroot" chroot] ["large_values" large-values] ["ephemerals_1000" ephemerals-1000]
   ["unicode" unicode] ["children_10000" children-10000] ["lock_killed_holder" lock-killed-holder]
   ["election_killed_holder" election-killed-holder] ["sync_read" sync-read]
   ["tutorial_leader" tutorial-leader] ["tutorial_lock" tutorial-lock]
   ["tutorial_configuration" tutorial-configuration]])
