{#- No hour and no expense is lost on the way to the answer, and none counts twice. -#}
with expected as (
  select
    coalesce((select sum(hours) from {{ ref('fct_time') }}), 0) as hours,
    coalesce((select sum(cost) from {{ ref('fct_time') }}), 0) as time_cost
),

answered as (
  select
    coalesce(sum(hours), 0) as hours,
    coalesce(sum(time_cost), 0) as time_cost
  from {{ ref('project_profitability') }}
)

select expected.hours, answered.hours as answered_hours
from expected
cross join answered
where expected.hours <> answered.hours or expected.time_cost <> answered.time_cost
