// heed: attention. Everything public.
#pragma once

#include <heed/attend.hpp>
#include <heed/catalogue.hpp>
#include <heed/census.hpp>
#include <heed/error.hpp>
#include <heed/expression.hpp>
#include <heed/inputs.hpp>
#include <heed/masks.hpp>
#include <heed/outputs.hpp>
#include <heed/plan.hpp>
#include <heed/problem.hpp>
#include <heed/scores.hpp>
#include <heed/tensor.hpp>
#include <heed/version.hpp>
